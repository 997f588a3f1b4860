"""Accumulate: rows as they stood plus what came since is rows as they stand; pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from beam_jobs.signals.window import IN_TIME_FOR, SLOT_SECONDS
from lakehouse import sketches
from lakehouse.sketches import Sketch
from lakehouse.windows import KEY, ROW_SCHEMA, TALLIES

_PLACE = "_place"


def accumulate(held: pl.DataFrame, tallies: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """The windows of `tallies`, each with what was held of it added.

    Args:
        held: Rows (`ROW_SCHEMA`) that the store has of those windows.
        tallies: What came since, by `tallies_of`.
        people: Who came since, as `Partials.people`.

    Returns:
        Rows in `ROW_SCHEMA`, not marked final, one for each of `tallies`.
    """
    sums = pl.concat([held.select(tallies.columns), tallies]).group_by(KEY).agg(pl.col(TALLIES).sum())
    known = sums.join(held.select(*KEY, "people"), on=KEY, how="left", maintain_order="left")
    return known.with_columns(
        pl.Series("people", _with_people(known, people), dtype=pl.Binary), final=pl.lit(value=False)
    ).select(*ROW_SCHEMA)


def _with_people(rows: pl.DataFrame, people: pl.DataFrame) -> list[bytes]:
    """Each row's sketch with those who came since."""
    places = _places(rows, people)
    before: list[bytes | None] = rows["people"].to_list()
    now: list[Sketch | None] = [None] * len(before)
    for came, *targets in zip(people["person"].to_list(), *places, strict=True):
        extra = sketches.added(sketches.opened(None), came) if len(came) >= sketches.UNION_FROM else None
        for place in targets:
            if place is None:
                continue
            sketch = now[place] or sketches.opened(before[place])
            now[place] = sketches.added(sketch, came) if extra is None else sketches.joined((sketch, extra))
    empty = sketches.stored(sketches.opened(None))
    return [
        sketches.stored(sketch) if sketch is not None else was or empty for sketch, was in zip(now, before, strict=True)
    ]


def _places(rows: pl.DataFrame, people: pl.DataFrame) -> Sequence[Sequence[int | None]]:
    """For each length of window, the row of `rows` that each row of `people` belongs to, if it was in time."""
    index = rows.select(KEY).with_row_index(_PLACE)
    found = []
    for size, least in IN_TIME_FOR.items():
        keyed = people.select(
            pl.when(pl.col("reach") >= least).then(pl.lit(size, pl.Int32)).alias("size_seconds"),
            (pl.col("slot").floordiv(size // SLOT_SECONDS) * size).alias("start"),
            "scope",
            "key",
            pl.col("log_partition").cast(pl.Int32),
        )
        found.append(keyed.join(index, on=KEY, how="left", maintain_order="left")[_PLACE].to_list())
    return found
