"""Aggregate: group facts by window; keys are whole numbers until the last step.

A window's name has two strings in it. Grouping and joining by them, once for each length of window, would cost more
than everything else; so scope, slot, partition and key are packed into one number each time, and the key's text is
put back when the groups are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from beam_jobs.followers.windows.window import CODES, IN_TIME_FOR, LATE, SLOT_SECONDS, told_by
from lakehouse.sketches import Integers
from lakehouse.window_rows import KEY, KEY_SCHEMA, SCOPES, TALLIES, WindowScope

NUMBER_BITS = 32
NUMBER = (1 << NUMBER_BITS) - 1
ALL_REACH = max(IN_TIME_FOR.values())

Pairs = Integers
"""A row's place and a person's number in one whole number each."""


@dataclass(frozen=True, slots=True)
class Partials:
    """The sums that some events add to their windows.

    `tallies` has a row per window and log partition (`KEY` and `TALLIES`); `people` who was there, as pairs of a row
    and a person's number, ordered and each once.
    """

    tallies: pl.DataFrame
    people: Pairs

    @staticmethod
    def none() -> Partials:
        """The partial of no events."""
        schema = {**KEY_SCHEMA, **dict.fromkeys(TALLIES, pl.Int64)}
        return Partials(pl.DataFrame(schema=schema), np.zeros(0, np.int64))


def aggregate(facts: Sequence[pl.DataFrame]) -> Partials:
    """Group facts (`facts_of`) into what they add to each window; the order of rows and frames makes no difference."""
    facts = [frame for frame in facts if frame.height]
    if not facts:
        return Partials.none()
    whole = pl.concat(facts)
    in_time = whole.filter(pl.col("reach") > 0)
    grid = Grid.of(in_time["slot"], whole["taken"])
    in_time = in_time.with_columns(unit=grid.unit())
    late = whole.filter(pl.col("reach") < ALL_REACH)
    counted = _tallied_codes(whole["code"], is_late=not late.is_empty())
    tallies: list[pl.DataFrame] = []
    people: list[Pairs] = []
    rows = 0
    for scope in SCOPES:
        mine = _Keyed.of(in_time, scope)
        units = mine.units()
        visits = mine.visits()
        for size, least in IN_TIME_FOR.items():
            windows = grid.windows(size, len(mine.keys))
            parts = [windows.of_units(units, least)]
            if scope == "all" and not late.is_empty():
                parts.append(windows.of_late(late, least))
            sums = _sums(pl.concat(parts), counted)
            tallies.append(windows.named(sums, mine.keys, scope))
            people.append(windows.placed(visits, least, sums["window"].to_numpy(), first=rows))
            rows += sums.height
    return Partials(pl.concat(tallies), np.concatenate(people))


def added(partials: Sequence[Partials]) -> Partials:
    """Merge partials."""
    if len(partials) == 1:
        return partials[0]
    rows = pl.concat([part.tallies for part in partials])
    sums = rows.group_by(KEY).agg(pl.col(TALLIES).sum()).with_row_index("place")
    places = rows.join(sums.select(*KEY, "place"), on=KEY, how="left", maintain_order="left")["place"].to_numpy()
    people = np.empty(sum(len(part.people) for part in partials), np.int64)
    row = at = 0
    for part in partials:
        mine = people[at : at + len(part.people)]
        mine[:] = places[row + (part.people >> NUMBER_BITS)]
        mine <<= NUMBER_BITS
        mine |= part.people & NUMBER
        row, at = row + part.tallies.height, at + len(mine)
    return Partials(sums.drop("place"), distinct_pairs(people))


def distinct_pairs(pairs: Pairs) -> Pairs:
    """The pairs in order, each once; the array given, which may have tens of megabytes, is ordered as well."""
    pairs.sort()
    is_first = np.ones(len(pairs), np.bool_)
    np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:])
    return pairs[is_first]


@dataclass(frozen=True, slots=True)
class Grid:
    """The slots that some facts touch, so that partition, slot and reach fit into one number."""

    first_slot: int
    slots: int

    @classmethod
    def of(cls, *slots: pl.Series) -> Grid:
        """Enough room for these slots: those that the log took events in, and others near them."""
        bounds = [np.array([each.min(), each.max()], np.int64) for each in slots if len(each)]
        low, high = int(np.min(bounds)), int(np.max(bounds))
        return cls(low, high - low + 1)

    def unit(self) -> pl.Expr:
        """Partition, slot and reach as one number."""
        return (pl.col("log_partition") * self.slots + pl.col("slot") - self.first_slot) * 4 + pl.col("reach")

    def windows(self, size: int, keys: int) -> _Windows:
        """The windows of one length that these slots lie in."""
        per_window = size // SLOT_SECONDS
        first = self.first_slot // per_window
        last = (self.first_slot + self.slots - 1) // per_window
        return _Windows(self, size, per_window, first, last - first + 1, keys)


@dataclass(frozen=True, slots=True)
class _Visits:
    """Who was in which unit and key: ordered and each once, by runs of equal unit and key."""

    places: Integers
    lengths: Integers
    persons: Integers


@dataclass(frozen=True, slots=True)
class _Keyed:
    """The facts of one scope that have a key, packed into `place`: unit and the key's row in `keys`."""

    keys: pl.Series
    facts: pl.DataFrame

    @classmethod
    def of(cls, facts: pl.DataFrame, scope: WindowScope) -> _Keyed:
        if scope == "all":
            return cls(pl.Series([""]), facts.with_columns(place="unit"))
        mine = facts.select("unit", "code", "rating", "person", scope).filter(pl.col(scope).is_not_null())
        numbered = mine[scope].cast(pl.Categorical(pl.Categories.random()))
        names = numbered.unique()
        rows = names.to_physical().cast(pl.Int64)
        count = max(rows.to_list(), default=0) + 1
        keys = pl.Series([""]).new_from_index(0, count).scatter(rows, names.cast(pl.String))
        return cls(keys, mine.with_columns(place=pl.col("unit") * count + numbered.to_physical().cast(pl.Int64)))

    def units(self) -> pl.DataFrame:
        """How many events (`n`) of each place and code, and the sum of their ratings."""
        packed = (pl.col("place") * CODES + pl.col("code")).alias("packed")
        found = self.facts.group_by(packed).agg(pl.len().cast(pl.Int64).alias("n"), pl.col("rating").sum())
        return found.with_columns(place=pl.col("packed") // CODES, code=pl.col("packed") % CODES).drop("packed")

    def visits(self) -> _Visits:
        """Who was where."""
        known = self.facts.select("place", "person").drop_nulls("person")
        place, person = known["place"].to_numpy(), known["person"].to_numpy()
        names: Integers | None = None
        if len(place) and place.max() > NUMBER >> 1:  # facts far apart in time: number the places that there are
            names, place = np.unique(place, return_inverse=True)
        pairs = distinct_pairs((place << NUMBER_BITS) | person)
        places = pairs >> NUMBER_BITS
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        found = places[starts]
        lengths = np.diff(starts, append=len(pairs))
        return _Visits(found if names is None else names[found], lengths, pairs & NUMBER)


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows of one length: partition, window and key in one number."""

    grid: Grid
    size: int
    per_window: int
    first: int
    count: int
    keys: int

    def of_units(self, units: pl.DataFrame, least: int) -> pl.DataFrame:
        """Units that are in time for this length, by window."""
        unit, key = pl.col("place") // self.keys, pl.col("place") % self.keys
        window = self._number(unit // 4 // self.grid.slots, unit // 4 % self.grid.slots + self.grid.first_slot, key)
        return units.filter(unit % 4 >= least).select(window.alias("window"), "code", "n", "rating")

    def of_late(self, late: pl.DataFrame, least: int) -> pl.DataFrame:
        """Events that are not, by the window in which the log took them."""
        window = self._number(pl.col("log_partition"), pl.col("taken"), pl.lit(0, pl.Int64))
        one, nothing = pl.lit(1, pl.Int64), pl.lit(0, pl.Int64)
        return late.filter(pl.col("reach") < least).select(
            window.alias("window"), code=pl.lit(LATE, pl.Int64), n=one, rating=nothing
        )

    def named(self, sums: pl.DataFrame, keys: pl.Series, scope: WindowScope) -> pl.DataFrame:
        """Sums by window with what names it in place of its number; absent tallies are zero."""
        window = pl.col("window")
        place = window // self.keys
        names: dict[str, pl.Expr] = {
            "size_seconds": pl.lit(self.size),
            "start": (place % self.count + self.first) * self.size,
            "scope": pl.lit(scope),
            "key": pl.lit(keys.gather(sums.select(window % self.keys).to_series())),
            "log_partition": place // self.count,
        }
        tallies = [pl.col(name) if name in sums.columns else pl.lit(0, pl.Int64).alias(name) for name in TALLIES]
        return sums.select(*(names[name].cast(dtype).alias(name) for name, dtype in KEY_SCHEMA.items()), *tallies)

    def placed(self, visits: _Visits, least: int, windows: Integers, *, first: int) -> Pairs:
        """Who was in which of these windows (ordered numbers); the first of them is row `first`."""
        in_time = visits.places // self.keys % 4 >= least
        places, lengths, persons = visits.places, visits.lengths, visits.persons
        if not in_time.all():
            persons = persons[np.repeat(in_time, lengths)]
            places, lengths = places[in_time], lengths[in_time]
        unit, key = places // self.keys, places % self.keys
        partition, slot = unit // 4 // self.grid.slots, unit // 4 % self.grid.slots + self.grid.first_slot
        number = (partition * self.count + slot // self.per_window - self.first) * self.keys + key
        row = np.searchsorted(windows, number) + first
        return distinct_pairs((np.repeat(row, lengths) << NUMBER_BITS) | persons)

    def _number(self, partition: pl.Expr, slot: pl.Expr, key: pl.Expr) -> pl.Expr:
        return (partition * self.count + slot.floordiv(self.per_window) - self.first) * self.keys + key


def _tallied_codes(codes: pl.Series, *, is_late: bool) -> pl.DataFrame:
    """Which tallies each code counts in (1 or 0), of those codes and tallies that occur."""
    late = [LATE] if is_late else []
    told = pl.DataFrame({"code": [*codes.unique().to_list(), *late]}, schema={"code": pl.Int64})
    told = told.with_columns(**told_by(pl.col("code")))
    return told.select("code", *(pl.col(name).cast(pl.Int64) for name in told.columns[1:] if told[name].any()))


def _sums(units: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """The tallies of each window, in the order of their numbers."""
    names = counted.columns[1:]
    told = units.join(counted, on="code", how="left").with_columns(pl.col(names) * pl.col("n"))
    sums = told.group_by("window").agg(pl.col(names).sum(), pl.col("rating").sum().alias("rating_millionths"))
    return sums.sort("window")
