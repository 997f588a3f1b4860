"""Keep the first row of each identity: readers of `feedback` count an event once, even if it landed twice.

Landing drops an event whose identity landed within `dedup_window_days`. An event that is sent again later lands once
more (an old file imported again, say). Its first row, by its place in the log, is the event; every later one is a
repeat. An identity's rows share one owner, and an owner's rows share one log partition, so the lowest place is the
row that landed first.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lakehouse.owners import owner_column
from lakehouse.tables.positions import PLACE

SHORTEST_WINDOW = timedelta(days=1)
"""The least `dedup_window_days` that any setting allows: days closer than this share no identity."""


def identity_columns() -> dict[str, pl.Expr]:
    """What identifies an event, by name: owner, kind, source and id. The owner is the subject, else the item."""
    return {"owner": owner_column(), "kind": pl.col("kind"), "source": pl.col("source"), "id": pl.col("id")}


def first_of_identity(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out every row of `feedback` whose identity landed before, at a lower place in the log.

    Looks at the rows at once (see `repeats`), then stays lazy; without repeats the rows come back as they are.
    """
    again = repeats(rows)
    return rows if again.is_empty() else without_places(rows, again)


def without_places(rows: pl.LazyFrame, places: pl.DataFrame) -> pl.LazyFrame:
    """Leave out the rows at these places in the log."""
    return rows.join(places.lazy().select(PLACE), on=list(PLACE), how="anti")


def repeats(rows: pl.LazyFrame, *, within_window: bool = False) -> pl.DataFrame:
    """The rows that landed again: all of an identity but the first.

    Reads the days first. Rows that landed within the shortest window of each other hold no repeat. Else only rows
    later than that can be one: their identities are hashed and looked for among all.

    Args:
        rows: Of `feedback`.
        within_window: Look also for repeats that landing should have dropped, so at all rows.

    Returns:
        Their places in order, with `id`, `landed_on` and `days`: how long after the row before it each one landed.
    """
    if not within_window:
        first, last = rows.select(first=pl.col("landed_on").min(), last=pl.col("landed_on").max()).collect().row(0)
        if first is None or last - first <= SHORTEST_WINDOW:
            return _later(rows.head(0))
    hashed = rows.select("landed_on", key=_key()).select("landed_on", hash=pl.col("key").hash())
    keys = hashed.collect(engine="streaming")  # hash part by part: half the memory of hashing all texts at once
    if within_window:
        among = keys["hash"]
    else:
        late = keys.filter(pl.col("landed_on") > first + SHORTEST_WINDOW).select("hash").unique()
        among = keys.select("hash").join(late, on="hash", how="semi")["hash"]
    found = among.filter(among.is_duplicated()).unique()
    return _later(rows.head(0) if found.is_empty() else rows.filter(_key().hash().is_in(found.implode())))


def _key() -> pl.Expr:
    """The identity as one text; null where a part is missing."""
    return pl.concat_str(*identity_columns().values(), separator="\0")


def _later(alike: pl.LazyFrame) -> pl.DataFrame:
    """Among rows, all of each identity but the first."""
    days = (pl.col("landed_on") - pl.col("landed_on").shift().over("key", order_by=PLACE)).dt.total_days()
    rows = (
        alike.select(*PLACE, "id", "landed_on", key=_key())
        .filter(pl.col("key").is_not_null())
        .unique((*PLACE, "key"))  # equal coordinates are damage, which checks and audit report, not a repeat
        .sort(PLACE)
        .collect()
    )
    return rows.with_columns(days=days).filter(~pl.col("key").is_first_distinct()).drop("key")
