from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dagster_project.lib.catalogue import build_catalogue
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.items import ITEMS

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

    frame = build_catalogue(entries({"item_id": "1", "payload": payload, "price": 9.5, "currency": "EUR"})).rows

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
    ).rows

    assert frame["title"].to_list() == ["new", "second"]


def test_what_an_entry_leaves_out_has_a_default() -> None:
    row = build_catalogue(entries({"item_id": "1", "payload": '{"title":"plain"}'})).rows.row(0, named=True)

    assert (row["categories"], row["tags"], row["available"], row["released_at"]) == ([], [], True, None)


def test_feedback_without_catalogue_entries_makes_an_empty_catalogue() -> None:
    frame = build_catalogue(entries({"item_id": "1", "kind": "click"})).rows

    assert frame.is_empty()
    assert tuple(frame.columns) == ITEMS.names


GOOD = '{"title":"plain"}'


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({"payload": "{oops"}, "payload"),
        ({"payload": "[]"}, "payload"),
        ({"payload": '"text"'}, "payload"),
        ({"payload": '{"title": ["a list"]}'}, "payload"),
        ({"payload": '{"title":"x","available":"yes"}'}, "payload"),
        ({"payload": '{"title":"x","categories":[null]}'}, "payload"),
        ({"payload": '{"title":"x","released_at":"soon"}'}, "payload"),
        ({"payload": "[" * 5000}, "payload"),
        ({"payload": "null"}, "payload"),
        ({"payload": "{}"}, "not_null__title"),
        ({"payload": None}, "not_null__title"),
        ({"payload": '{"title":""}'}, "length__title"),
        ({"payload": GOOD, "price": -1.0}, "between__price"),
        ({"payload": GOOD, "currency": "euro"}, "matches__currency"),
        ({"payload": GOOD, "item_id": ""}, "length__item_id"),
    ],
)
def test_an_entry_that_is_none_is_left_out_and_stops_no_other(entry: dict[str, Any], rule: str) -> None:
    found = build_catalogue(entries({"item_id": "bad", **entry}, {"item_id": "1", "payload": GOOD}))

    assert found.rows["item_id"].to_list() == ["1"]
    assert found.left_out["rule", "log_offset"].rows() == [(rule, 0)]
    assert found.left_out_by_rule == {rule: 1}


def test_an_item_keeps_its_last_good_entry() -> None:
    found = build_catalogue(
        entries(
            {"item_id": "1", "payload": '{"title":"first"}'},
            {"item_id": "1", "payload": '{"title":"second"}'},
            {"item_id": "1", "payload": "{oops"},
            {"item_id": "2", "payload": '{"title":"other"}'},
        )
    )

    assert found.rows["item_id", "title"].rows() == [("1", "second"), ("2", "other")]
    assert found.left_out["log_offset"].to_list() == [2]


def test_entries_from_any_year_are_kept_and_a_release_outside_the_calendar_is_none() -> None:
    years = [datetime(1, 1, 1, tzinfo=UTC), datetime(1939, 5, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    payload = '{"title":"old","released_at":"0001-01-01T00:00:00+02:00"}'

    found = build_catalogue(
        entries(*({"item_id": str(y.year), "payload": payload, "occurred_at": y} for y in years))
    ).rows

    assert found["updated_at"].to_list() == [years[0], years[1], years[2]]
    assert found["released_at"].null_count() == 3


def test_times_of_release_may_have_any_zone_and_any_fraction() -> None:
    times = ["2020-01-01T00:00:00Z", "2020-01-01T02:00:00+02:00", "2020-01-01T00:00:00.000Z", "2020-01-01 00:00:00"]

    found = build_catalogue(
        entries(*({"item_id": str(n), "payload": f'{{"title":"x","released_at":"{t}"}}'} for n, t in enumerate(times)))
    ).rows

    assert found["released_at"].unique().to_list() == [datetime(2020, 1, 1, tzinfo=UTC)]
