"""Accumulate: add new events to stored rows of windows; pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from beam_jobs.followers.windows.aggregate import NUMBER, NUMBER_BITS, Pairs, Partials, distinct_pairs
from lakehouse import sketches
from lakehouse.sketches import People
from lakehouse.window_rows import KEY, ROW_SCHEMA, TALLIES

PEOPLE_OF_ROWS = 50_000
"""Rows whose people are worked out together: all their visits are copied several times meanwhile."""
_HELD = "_held"


def accumulate(held: pl.DataFrame, came: Partials) -> pl.DataFrame:
    """The windows of `came`, each added to its stored row.

    Args:
        held: Rows (`ROW_SCHEMA`) that the store has of those windows, and of no others.
        came: What came since.

    Returns:
        Rows in `ROW_SCHEMA`, not marked final, one for each of `came.tallies` and in their order.
    """
    known = came.tallies.join(held.drop("final"), on=KEY, how="left", maintain_order="left", suffix=_HELD)
    return known.with_columns(
        *(pl.col(name) + pl.col(name + _HELD).fill_null(0) for name in TALLIES),
        pl.concat(list(_people_in_parts(known["people"], came.people))),
        final=pl.lit(value=False),
    ).select(*ROW_SCHEMA)


def _people_in_parts(before: pl.Series, came: Pairs) -> Iterator[pl.Series]:
    """Each row's people: those who came since and those who were known."""
    for first in range(0, max(1, len(before)), PEOPLE_OF_ROWS):
        part = before.slice(first, PEOPLE_OF_ROWS)
        start, end = np.searchsorted(came, np.array([first, first + len(part)]) << NUMBER_BITS)
        yield _with_people(People.of(part), came[start:end] - (first << NUMBER_BITS))


def _with_people(before: People, came: Pairs) -> pl.Series:
    """The same for some rows."""
    row, number = before.numbers()
    pairs = distinct_pairs(np.concatenate([came, (row << NUMBER_BITS) | number]))
    counts = np.bincount(pairs >> NUMBER_BITS, minlength=len(before))
    ends = np.cumsum(counts)
    crowds: dict[int, bytes] = {}
    for place in np.flatnonzero((counts > sketches.FEW) | before.is_sketch).tolist():
        who = (pairs[ends[place] - counts[place] : ends[place]] & NUMBER).tolist()
        crowds[place] = sketches.stored(sketches.added(sketches.opened(before.sketch(place)), who))
    return sketches.people_column(counts, pairs & NUMBER, crowds)
