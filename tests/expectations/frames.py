"""Good rows of the three tables, to be broken one column at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.items import ITEMS
from lakehouse.tables.spec import TableSpec

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def frame_of(spec: TableSpec, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a frame with exactly the table's columns and types."""
    empty = pl.DataFrame(spec.schema.empty_table())
    return pl.DataFrame(rows, schema=empty.schema, orient="row")


def subject(number: int) -> str:
    """A pseudonym."""
    return f"{number:032x}"


def good_feedback(count: int = 40) -> pl.DataFrame:
    """Ratings, clicks and catalogue entries, one record each."""
    rows = []
    for place in range(count):
        kind = ("rating", "click", "item", "search")[place % 4]
        rated = kind == "rating"
        rows.append(
            {
                "v": 1,
                "id": f"event-{place}",
                "kind": kind,
                "subject": None if kind == "item" else subject(place % 7),
                "item_id": None if kind == "search" else f"item-{place % 5}",
                "occurred_at": NOON + timedelta(seconds=place),
                "received_at": NOON + timedelta(seconds=place, milliseconds=5),
                "source": "web",
                "value": 4.0 if rated else None,
                "scale_min": 1.0 if rated else None,
                "scale_max": 5.0 if rated else None,
                "consent": ["feedback"],
                "log_partition": place % 2,
                "log_offset": place // 2,
                "log_index": 0,
                "log_count": 1,
                "landed_on": date(2026, 1, 31),
            }
        )
    return frame_of(FEEDBACK, rows)


def good_items(count: int = 12) -> pl.DataFrame:
    """A small catalogue."""
    rows = [
        {
            "item_id": f"item-{place}",
            "title": f"Item {place}",
            "categories": ["things"],
            "tags": [],
            "price": 9.5,
            "currency": "EUR",
            "available": True,
            "released_at": NOON,
            "updated_at": NOON,
        }
        for place in range(count)
    ]
    return frame_of(ITEMS, rows)


def good_interactions(count: int = 24) -> pl.DataFrame:
    """People and what they think of items."""
    rows = [
        {
            "subject": subject(place // 6),
            "item_id": f"item-{place % 6}",
            "explicit": 0.5 if place % 3 else None,
            "implicit": 0.1,
            "preference": 0.4 if place % 2 else -0.4,
            "weight": 1.0,
            "events": 2,
            "first_at": NOON,
            "last_at": NOON + timedelta(minutes=place),
        }
        for place in range(count)
    ]
    return frame_of(INTERACTIONS, rows)


def broken(frame: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    """The frame with other values in one row."""
    rows = frame.rows(named=True)
    rows[row] |= values
    return pl.DataFrame(rows, schema=frame.schema, orient="row")
