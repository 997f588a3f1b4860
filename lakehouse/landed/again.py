"""Rows that landed again: sent once more after `dedup_window_days`, when landing had forgotten their identity.

A repeat has the bytes of its first, so where it states a time, that lies before the window as well. Only such rows are
looked for among older days, so live events cost nothing. A repeat with an id and without any time is not found here:
its time is the time of its second receipt.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lakehouse.first_of_identity import identity_columns
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

AHEAD = timedelta(days=2)
"""How far the stated time of an event may lie after the start of the day on which it landed: clocks run ahead."""


def without_landed_again(rows: pl.DataFrame, lake: Lake, *, window_days: int) -> pl.DataFrame:
    """Leave out rows whose identity landed before the deduplication window.

    Args:
        rows: Rows of `feedback` that are committed, with place, subject, `occurred_at` and `landed_on` at least.
        lake: Where they and all before them landed.
        window_days: For how long landing knew identities.

    Raises:
        LakeError: The table cannot be read.
    """
    window = timedelta(days=window_days)
    landed = pl.col("landed_on").cast(pl.Datetime("us", "UTC"))
    old = rows.filter(pl.col("subject").is_not_null() & (pl.col("occurred_at") < landed - window + AHEAD))
    if old.is_empty():
        return rows
    newest = old["landed_on"].max()
    assert isinstance(newest, date)
    last_day = newest - window
    if not _has_landed_by(lake, last_day):
        return rows
    repeats = _landed_before(old, lake, last_day)
    return rows if repeats.is_empty() else rows.join(repeats, on=PLACE, how="anti", maintain_order="left")


def _landed_before(rows: pl.DataFrame, lake: Lake, last_day: date) -> pl.DataFrame:
    """The places of those rows whose identity landed on an earlier day, up to a last one."""
    identity = identity_columns()
    landed = lake.scan(FEEDBACK).filter(pl.col("subject").is_in(rows["subject"].unique().implode()))
    days = pl.col("landed_on").is_between(rows["landed_on"].min(), rows["landed_on"].max())
    own = (
        landed.filter(days)
        .select(*PLACE, "landed_on", **identity)
        .join(rows.lazy().select(PLACE), on=PLACE, how="semi")
    )
    first = (
        landed.filter(pl.col("landed_on") <= last_day)
        .select("landed_on", **identity)
        .group_by(list(identity))
        .agg(first_on=pl.col("landed_on").min())
    )
    repeats = own.join(first, on=list(identity), how="inner").filter(pl.col("first_on") < pl.col("landed_on"))
    with lake.reading(FEEDBACK):
        return repeats.select(PLACE).collect(engine="streaming")


def _has_landed_by(lake: Lake, day: date) -> bool:
    """Whether any row landed up to a day; asks the table's log alone."""
    if not lake.exists(FEEDBACK):
        return False
    table = lake.table(FEEDBACK)
    with lake.reading(FEEDBACK):
        return any(date.fromisoformat(part["landed_on"]) <= day for part in table.partitions())
