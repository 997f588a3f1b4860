"""Small sets of interactions whose right answers are known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import polars as pl

from models.interaction_matrix import ItemIndex
from models.preferences import build_interactions
from models.recommenders.training_data import TrainingData

START = datetime(2026, 1, 1, tzinfo=UTC)

EVENT_SCHEMA = {
    "kind": pl.String, "subject": pl.String, "item_id": pl.String, "value": pl.Float64, "scale_min": pl.Float64,
    "scale_max": pl.Float64, "label": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "log_partition": pl.Int32,
    "log_offset": pl.Int64, "log_index": pl.Int32,
}  # fmt: skip


def events_of(rows: Iterable[dict[str, object]]) -> pl.DataFrame:
    """Rows of `feedback`, with what they do not name filled in; offsets follow their order."""
    filled = [
        {
            "occurred_at": START + timedelta(minutes=place),
            "log_partition": 0,
            "log_offset": place,
            "log_index": 0,
            **row,
        }
        for place, row in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=EVENT_SCHEMA)


def rating(subject: str, item: str, value: float, **more: object) -> dict[str, object]:
    return {"kind": "rating", "subject": subject, "item_id": item, "value": value,
            "scale_min": 1.0, "scale_max": 5.0, **more}  # fmt: skip


def ratings(triples: Iterable[tuple[str, str, float]]) -> pl.DataFrame:
    """The interactions of ratings from 1 to 5."""
    return build_interactions(events_of(rating(*triple) for triple in triples).lazy())


def training(interactions: pl.DataFrame, items: ItemIndex | None = None) -> TrainingData:
    """Data for a fit without Spark."""
    return TrainingData.of(interactions, items, seed=1)


def checkerboard(size: int = 20) -> pl.DataFrame:
    """Even people like even items and odd people odd ones, each but the item of their own number."""
    return ratings(
        (f"u{user:02d}", f"i{item:02d}", 5.0)
        for user in range(size)
        for item in range(size)
        if user % 2 == item % 2 and user != item
    )


def tastes(*, people: int = 60, items: int = 40) -> pl.DataFrame:
    """Two camps that love their half of the items and hate some of the other; spread over time, by a fixed rule."""
    rows = []
    for person in range(people):
        for step in range(14):
            item = (person * 7 + step * step * 3 + step) % items
            same = (item % 2) == (person % 2)
            rows.append((f"p{person:03d}", f"i{item:03d}", 5.0 if same else 1.0))
    seen = dict.fromkeys((person, item) for person, item, _ in rows)
    keep = [(person, item, value) for person, item, value in rows if seen.pop((person, item), 0) is None]
    keep.sort(key=lambda row: (int(row[1][1:]) * 31 + int(row[0][1:]) * 17) % 97)
    return ratings(row for row in keep if row[2] > 1 or (int(row[0][1:]) + int(row[1][1:])) % 3 == 0)
