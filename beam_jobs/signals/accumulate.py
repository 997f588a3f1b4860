"""Accumulate: rows as they stood plus what came since is rows as they stand; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from beam_jobs.signals.window import IN_TIME_FOR, SLOT_SECONDS
from lakehouse import sketches
from lakehouse.sketches import Sketch
from lakehouse.windows import KEY, ROW_SCHEMA, TALLIES

_PLACE = "_place"
_HELD = "_held"
_NUMBER_BITS = 32
_NUMBER = (1 << _NUMBER_BITS) - 1

Pairs = npt.NDArray[np.int64]
"""A row's place and a person's number in one whole number each."""


def accumulate(held: pl.DataFrame, tallies: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """The windows of `tallies`, each with what was held of it added.

    Args:
        held: Rows (`ROW_SCHEMA`) that the store has of those windows, and of no others.
        tallies: What came since, by `tallies_of`.
        people: Who came since, as `Partials.people`.

    Returns:
        Rows in `ROW_SCHEMA`, not marked final, one for each of `tallies`.
    """
    known = tallies.join(held.drop("final"), on=KEY, how="left", maintain_order="left", suffix=_HELD)
    return known.with_columns(
        *(pl.col(name) + pl.col(name + _HELD).fill_null(0) for name in TALLIES),
        pl.Series("people", _with_people(known, people), dtype=pl.Binary),
        final=pl.lit(value=False),
    ).select(*ROW_SCHEMA)


def _with_people(rows: pl.DataFrame, people: pl.DataFrame) -> list[bytes]:
    """Each row's people: those who came since and those who were known."""
    before: list[bytes | None] = rows["people"].to_list()
    is_many = people["person"].list.len() >= sketches.UNION_FROM
    crowds = _sketched(rows, people.filter(is_many))
    came = _placed(rows, people.filter(~is_many))
    known = _known(before, {*np.unique(came >> _NUMBER_BITS).tolist(), *crowds})
    pairs = np.sort(np.concatenate([came, known]))
    pairs = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))]
    place, person = pairs >> _NUMBER_BITS, pairs & _NUMBER
    found = [was if was is not None else sketches.NOBODY for was in before]
    first = np.flatnonzero(np.diff(place, prepend=-1)).tolist()
    data = person.astype("<u4").tobytes()
    for row, start, end in zip(place[first].tolist(), first, [*first, len(place)][1:], strict=True):
        was = before[row]
        is_sketch = row in crowds or (was is not None and not sketches.is_packed(was))
        if end - start > sketches.FEW or is_sketch:
            sketch = sketches.opened(was if is_sketch else None)
            crowds[row] = [*crowds.get(row, ()), sketches.added(sketch, person[start:end].tolist())]
        else:
            found[row] = sketches.NOBODY + data[4 * start : 4 * end]
    for row, several in crowds.items():
        whole = several if before[row] is None else [*several, sketches.opened(before[row])]
        found[row] = sketches.stored(sketches.joined(whole) if len(whole) > 1 else whole[0])
    return found


def _sketched(rows: pl.DataFrame, people: pl.DataFrame) -> dict[int, list[Sketch]]:
    """By row, a sketch of each crowd that came."""
    found: dict[int, list[Sketch]] = {}
    for came, *targets in zip(people["person"].to_list(), *_places(rows, people), strict=True):
        sketch = sketches.added(sketches.opened(None), came)
        for place in targets:
            if place is not None:
                found.setdefault(place, []).append(sketch)
    return found


def _placed(rows: pl.DataFrame, people: pl.DataFrame) -> Pairs:
    """Who came to which row; twice where a person came in several slots."""
    person = people["person"].explode(empty_as_null=False, keep_nulls=False).to_numpy()
    counts = people["person"].list.len().to_numpy()
    pairs = [np.zeros(0, np.int64)]
    for places in _places(rows, people):
        place = np.repeat(places.fill_null(-1).to_numpy(), counts)
        in_time = place >= 0
        pairs.append((place[in_time] << _NUMBER_BITS) | person[in_time])
    return np.concatenate(pairs)


def _known(before: Sequence[bytes | None], places: Iterable[int]) -> Pairs:
    """Those known by number in these rows."""
    found = {row: sketches.unpacked(was) for row in places if (was := before[row]) and sketches.is_packed(was)}
    place: Pairs = np.repeat(np.fromiter(found, np.int64, len(found)), [len(numbers) for numbers in found.values()])
    pairs: Pairs = (place << _NUMBER_BITS) | np.concatenate([np.zeros(0, np.int64), *found.values()])
    return pairs


def _places(rows: pl.DataFrame, people: pl.DataFrame) -> Sequence[pl.Series]:
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
        found.append(keyed.join(index, on=KEY, how="left", maintain_order="left")[_PLACE].cast(pl.Int64))
    return found
