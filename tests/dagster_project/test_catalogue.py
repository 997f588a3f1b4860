from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dagster_project.catalogue import build_catalogue
from feedback.errors import ContractViolation
from lakehouse.tables import FEEDBACK, ITEMS

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entries(*rows: dict[str, Any]) -> pl.LazyFrame:
    schema = pl.DataFrame(FEEDBACK.schema.empty_table()).schema
    common = {"kind": "item", "occurred_at": NOON, "log_partition": 0, "log_index": 0}
    full = [{**common, "log_offset": place, **row} for place, row in enumerate(rows)]
    return pl.DataFrame(full, schema=schema, orient="row").lazy()


def test_an_entry_becomes_a_row_in_the_columns_of_the_table() -> None:
    payload = (
        '{"title":"Alien","categories":["horror"],"tags":["space"],"url":"https://x/1","available":false,'
        '"released_at":"1979-05-25T02:00:00+02:00"}'
    )

    frame = build_catalogue(entries({"item_id": "1", "payload": payload, "price": 9.5, "currency": "EUR"}))

    assert tuple(frame.columns) == ITEMS.names
    assert frame.row(0, named=True) == {
        "item_id": "1",
        "title": "Alien",
        "categories": ["horror"],
        "tags": ["space"],
        "description": None,
        "price": 9.5,
        "currency": "EUR",
        "url": "https://x/1",
        "image_url": None,
        "available": False,
        "released_at": datetime(1979, 5, 25, tzinfo=UTC),
        "updated_at": NOON,
    }


def test_the_entry_that_happened_last_wins_and_of_two_at_once_the_later_landed() -> None:
    frame = build_catalogue(
        entries(
            {"item_id": "1", "payload": '{"title":"new"}', "occurred_at": NOON + timedelta(hours=1)},
            {"item_id": "1", "payload": '{"title":"old"}'},
            {"item_id": "2", "payload": '{"title":"first"}'},
            {"item_id": "2", "payload": '{"title":"second"}'},
        )
    )

    assert frame["title"].to_list() == ["new", "second"]


def test_what_an_entry_leaves_out_has_a_default() -> None:
    row = build_catalogue(entries({"item_id": "1", "payload": '{"title":"plain"}'})).row(0, named=True)

    assert (row["categories"], row["tags"], row["available"], row["released_at"]) == ([], [], True, None)


def test_feedback_without_catalogue_entries_makes_an_empty_catalogue() -> None:
    frame = build_catalogue(entries({"item_id": "1", "kind": "click"}))

    assert frame.is_empty()
    assert tuple(frame.columns) == ITEMS.names


@pytest.mark.parametrize("payload", ["{oops", '{"title": ["a list"]}', '{"title":"x","released_at":"soon"}'])
def test_a_payload_that_is_no_catalogue_entry_is_refused(payload: str) -> None:
    with pytest.raises(ContractViolation, match="payload of a catalogue entry"):
        build_catalogue(entries({"item_id": "1", "payload": payload}))


def test_an_entry_without_title_is_named() -> None:
    with pytest.raises(ContractViolation, match="1 catalogue entries have no title, such as item '7'"):
        build_catalogue(entries({"item_id": "7", "payload": "{}"}))
