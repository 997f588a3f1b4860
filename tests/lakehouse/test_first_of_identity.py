"""Readers count an identity once, however often and however late it landed again."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import polars as pl

from lakehouse.first_of_identity import first_of_identity, repeats
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import rows

TODAY = NOW.date()


def landed(*given: dict[str, Any]) -> pl.LazyFrame:
    numbered = [{"log_offset": offset, "id": "e", **row} for offset, row in enumerate(given)]
    return pl.DataFrame(rows(FEEDBACK, *numbered)).lazy()


def later(days: int) -> dict[str, Any]:
    return {"landed_on": TODAY + timedelta(days=days)}


def offsets(frame: pl.LazyFrame) -> list[int]:
    return frame.collect()["log_offset"].sort().to_list()


def test_the_row_that_landed_first_stays_and_all_later_ones_go() -> None:
    frame = landed({}, {"id": "other"}, later(40), later(80), {"id": "new", **later(80)})

    assert offsets(first_of_identity(frame)) == [0, 1, 4]
    assert repeats(frame)["log_offset"].to_list() == [2, 3]


def test_a_repeat_whose_first_row_is_not_of_the_earliest_day_is_found() -> None:
    frame = landed({"id": "older"}, later(40), later(80))

    assert offsets(first_of_identity(frame)) == [0, 1]


def test_another_owner_kind_or_source_is_another_event() -> None:
    others = ({"subject": "t" * 32}, {"kind": "click"}, {"source": "web"}, {"subject": None}, {"id": "f"})
    frame = landed({}, *({**later(40), **other} for other in others))

    assert offsets(first_of_identity(frame)) == [0, 1, 2, 3, 4, 5]


def test_catalogue_entries_belong_to_their_item() -> None:
    entry = {"kind": "item", "subject": None}
    frame = landed(entry, {**entry, **later(40)}, {**entry, "item_id": "j", **later(40)})

    assert offsets(first_of_identity(frame)) == [0, 2]


def test_the_place_in_the_log_decides_and_not_the_order_of_the_rows() -> None:
    frame = landed({**later(40), "log_offset": 7}, {"log_offset": 3}, {"log_offset": 3, "log_index": 1, **later(80)})

    kept = first_of_identity(frame).collect()

    assert kept["log_offset", "log_index"].rows() == [(3, 0)]


def test_rows_without_an_owner_and_one_place_landed_twice_are_no_repeats() -> None:
    stray = {"subject": None, "item_id": None}
    frame = landed(stray, {**stray, **later(40)}, {"log_offset": 5}, {"log_offset": 5, **later(40)})

    assert offsets(first_of_identity(frame)) == [0, 1, 5, 5]


def test_an_empty_table_and_rows_of_two_days_are_left_as_they_are() -> None:
    nothing = landed().filter(pl.lit(value=False))

    assert first_of_identity(nothing).collect().is_empty()
    assert offsets(first_of_identity(landed({}, {"id": "f", **later(1)}))) == [0, 1]


def test_it_agrees_with_the_plain_reading_on_random_rows() -> None:
    dice = random.Random(4)
    for _ in range(20):
        given = [
            {"id": f"e{dice.randrange(6)}", "source": dice.choice("ab"), **later(3 * place)} for place in range(30)
        ]
        frame = landed(*given)
        first: dict[tuple[str, str], int] = {}
        for offset, row in enumerate(given):
            first.setdefault((row["id"], row["source"]), offset)

        assert offsets(first_of_identity(frame)) == sorted(first.values())
