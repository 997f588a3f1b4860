"""Windows as pure functions over columns: which window an event falls into, whether in time, and what it counts.

The rule is one comparison of the event's two times, so that a stream, a drain and a repeat decide the same: an
event counts in the window of its `occurred_at` if the log took it (`appended_at`) before the window's end plus the
allowed lateness. One that came later counts as `late` in the window in which the log took it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from feedback.contract import KINDS, SURVEY_SCALES
from feedback.signs import CSAT_SATISFIED, NPS_PASSIVE, NPS_PROMOTER, amount, place_on_scale, rule_frame, rule_key
from lakehouse.sketches import numbers_of
from lakehouse.windows import KEY, KEY_SCHEMA, SCOPES, SIZES, TALLIES, Scope

SLOT_SECONDS = min(SIZES.values())
"""The shortest window; the longer ones are made of it."""
IN_TIME_FOR = dict(zip(SIZES.values(), range(len(SIZES), 0, -1), strict=True))
"""By length, from which `reach` on an event counts: 3 is in time for all, 1 for the longest alone, 0 for none."""
NEEDED = (
    "kind", "subject", "item_id", "section", "value", "scale_min", "scale_max", "label",
    "occurred_at", "appended_at", "log_partition",
)  # fmt: skip
"""Columns of `feedback` that windows look at."""

_KINDS = tuple(KINDS)
_PER_KIND = 96
"""Codes of one kind: 4 signs, 4 promoter answers, 3 satisfaction answers, rated or not."""
_CODES = _PER_KIND * (len(_KINDS) + 1)
_TOLD = ("kind", "label", "value", "scale_min", "scale_max")
"""What decides a code; few distinct among many events, so it is worked out once for each."""
_LATE = -1
_NOTHING_SAID = 3

COUNTS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **KEY_SCHEMA,
    "code": pl.Int32,
    "n": pl.Int64,
    "rating": pl.Int64,
}
PEOPLE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "log_partition": pl.Int64,
    "slot": pl.Int64,
    "reach": pl.Int64,
    "scope": pl.String,
    "key": pl.String,
    "person": pl.List(pl.Int64),
}


@dataclass(frozen=True, slots=True)
class Partials:
    """What some events add to their windows.

    `counts` has a row per window, log partition and code: how many events (`n`) and the sum of their ratings. `people`
    has a row per slot, reach, scope, key and log partition with the numbers of the people there.
    """

    counts: pl.DataFrame
    people: pl.DataFrame


def facts_of(events: pl.DataFrame, *, lateness: timedelta) -> pl.DataFrame:
    """Of events (`NEEDED`), the few small columns that windows are made of, row by row.

    `slot` and `taken` number the shortest windows of `occurred_at` and `appended_at`; `reach` says for which lengths
    the event is in time; `code` packs its kind, sign and answers; `rating` is in millionths of the scale.
    """
    slot_us = SLOT_SECONDS * 1_000_000
    occurred, taken = (pl.col(name).dt.epoch("us") for name in ("occurred_at", "appended_at"))
    allowed = lateness // timedelta(microseconds=1)
    in_time = [
        (taken < (occurred.floordiv(size * 1_000_000) + 1) * (size * 1_000_000) + allowed).cast(pl.Int8)
        for size in SIZES.values()
    ]
    told = events.select(_TOLD).unique()
    told = told.with_columns(_codes(told))
    return events.join(told, on=_TOLD, how="left", nulls_equal=True, maintain_order="left").select(
        pl.col("log_partition").cast(pl.Int64),
        slot=occurred.floordiv(slot_us),
        taken=taken.floordiv(slot_us),
        reach=pl.sum_horizontal(in_time).cast(pl.Int64),
        item="item_id",
        section="section",
        person=numbers_of(events["subject"]),
        code="code",
        rating="rating",
    )


def aggregate(facts: Sequence[pl.DataFrame]) -> Partials:
    """Group facts into what they add to each window; the order of rows and frames makes no difference."""
    facts = [frame for frame in facts if frame.height]
    if not facts:
        return Partials(pl.DataFrame(schema=COUNTS_SCHEMA), pl.DataFrame(schema=PEOPLE_SCHEMA))
    whole = pl.concat(facts)
    packing = Packing.of(whole)
    in_time = whole.filter(pl.col("reach") > 0).with_columns(unit=packing.unit())
    missed = whole.filter(pl.col("reach") < max(IN_TIME_FOR.values()))
    counts, people = [_late(missed)], []
    for scope in SCOPES:
        keys, keyed = _keyed(in_time, scope)
        units = packing.grouped(keyed, keys, _CODES, [_N, pl.col("rating").sum()])
        for size, least in IN_TIME_FOR.items():
            counts.append(_windows(units.filter(pl.col("reach") >= least), size, scope))
        persons = keyed.filter(pl.col("person").is_not_null())
        lists = packing.grouped(persons, keys, 1, [pl.col("person").unique()])
        people.append(lists.with_columns(scope=pl.lit(scope)).select(*PEOPLE_SCHEMA))
    return Partials(pl.concat(counts), pl.concat(people))


@dataclass(frozen=True, slots=True)
class Packing:
    """Partition, slot and reach, then key and code, in one whole number: three times as quick to group by."""

    first_slot: int
    slots: int

    @classmethod
    def of(cls, facts: pl.DataFrame) -> Packing:
        """Enough room for the slots of these facts."""
        low, high = (int(x) for x in facts.select(pl.min("slot").alias("l"), pl.max("slot").alias("h")).row(0))
        return cls(low, high - low + 1)

    def unit(self) -> pl.Expr:
        """Partition, slot and reach as one number."""
        return (pl.col("log_partition") * self.slots + pl.col("slot") - self.first_slot) * 4 + pl.col("reach")

    def grouped(self, facts: pl.DataFrame, keys: pl.Series, codes: int, figures: Sequence[pl.Expr]) -> pl.DataFrame:
        """Facts grouped by unit, key (its row in `keys`) and, where `codes` is above 1, code."""
        packed = pl.col("unit") * len(keys) + pl.col("key")
        if codes > 1:
            packed = packed * codes + pl.col("code")
        found = facts.group_by(packed.alias("packed")).agg(figures)
        key, unit = (pl.col("packed") // codes) % len(keys), pl.col("packed") // (codes * len(keys))
        return found.with_columns(
            log_partition=unit // 4 // self.slots,
            slot=unit // 4 % self.slots + self.first_slot,
            reach=unit % 4,
            key=keys.gather(found.select(key).to_series()),
            code=pl.col("packed") % codes,
        ).drop("packed")


def added(partials: Sequence[Partials]) -> Partials:
    """Several partials as one."""
    if len(partials) == 1:
        return partials[0]
    counts = pl.concat([part.counts for part in partials]).group_by(*KEY, "code").agg(pl.col("n", "rating").sum())
    return Partials(counts, pl.concat([part.people for part in partials]))


def tallies_of(counts: pl.DataFrame) -> pl.DataFrame:
    """Counts by code as one row per window and log partition with its tallies, zeros included."""
    code, n = pl.col("code"), pl.col("n")
    said = code >= 0
    sign, nps, csat, rated = code // 24 % 4, code // 6 % 4, code // 2 % 3, code % 2
    named = {
        "events": said,
        "opinions": said & (sign != _NOTHING_SAID),
        "positive": said & (sign == 2),
        "negative": said & (sign == 0),
        "ratings": said & (rated == 1),
        "nps_promoters": said & (nps == 3),
        "nps_passives": said & (nps == 2),
        "nps_detractors": said & (nps == 1),
        "csat_answered": said & (csat > 0),
        "csat_satisfied": said & (csat == 2),
        "late": code == _LATE,
    }
    present = set((counts["code"] // _PER_KIND).unique().to_list())
    kinds = {f"n_{kind}": said & (code // _PER_KIND == row) for row, kind in enumerate(_KINDS) if row in present}
    named |= kinds
    parts = counts.select(*KEY, *((n * which).alias(name) for name, which in named.items()), "rating")
    sums = parts.group_by(KEY).agg(pl.col(*named).sum(), pl.col("rating").sum().alias("rating_millionths"))
    absent = [pl.lit(0, pl.Int64).alias(name) for name in TALLIES if name not in sums.columns]
    return sums.with_columns(absent).select(*KEY, *TALLIES)


_N = pl.len().cast(pl.Int64).alias("n")


def _keyed(facts: pl.DataFrame, scope: Scope) -> tuple[pl.Series, pl.DataFrame]:
    """The keys of a scope and the facts that have one, by its row among the keys."""
    if scope == "all":
        return pl.Series([""]), facts.with_columns(key=pl.lit(0, pl.Int64))
    mine = facts.filter(pl.col(scope).is_not_null())
    numbered = mine[scope].cast(pl.Categorical(pl.Categories.random()))
    names = numbered.unique()
    places = names.to_physical().cast(pl.Int64)
    keys = (
        pl.Series([""]).new_from_index(0, max(places.to_list(), default=0) + 1).scatter(places, names.cast(pl.String))
    )
    return keys, mine.with_columns(numbered.to_physical().cast(pl.Int64).alias("key"))


def _windows(units: pl.DataFrame, size: int, scope: Scope) -> pl.DataFrame:
    start = pl.col("slot").floordiv(size // SLOT_SECONDS) * size
    grouped = units.group_by("log_partition", start.alias("start"), "key", "code").agg(pl.col("n", "rating").sum())
    return _named(grouped, size, scope)


def _late(facts: pl.DataFrame) -> pl.DataFrame:
    """Events too late for their window of a length, in the window of that length in which the log took them."""
    frames = []
    for size, least in IN_TIME_FOR.items():
        start = pl.col("taken").floordiv(size // SLOT_SECONDS) * size
        missed = facts.filter(pl.col("reach") < least).group_by("log_partition", start.alias("start")).agg(_N)
        frames.append(_named(missed.with_columns(key=pl.lit(""), code=pl.lit(_LATE), rating=pl.lit(0)), size, "all"))
    return pl.concat(frames)


def _named(frame: pl.DataFrame, size: int, scope: Scope) -> pl.DataFrame:
    named = frame.with_columns(size_seconds=pl.lit(size), scope=pl.lit(scope))
    return named.select(pl.col(name).cast(dtype) for name, dtype in COUNTS_SCHEMA.items())


def _codes(told: pl.DataFrame) -> pl.DataFrame:
    """`code` and `rating` of each row of what was told."""
    ruled = (
        told.with_columns(rule=rule_key())
        .join(rule_frame().rename({"key": "rule"}), on="rule", how="left", maintain_order="left")
        .with_columns(says=amount(), nps=_survey_place("nps"), csat=_survey_place("csat"), place=_rating_place())
    )
    kind = pl.col("kind").cast(pl.Enum(_KINDS), strict=False).to_physical().cast(pl.Int64).fill_null(len(_KINDS))
    says, nps, csat = pl.col("says"), pl.col("nps"), pl.col("csat")
    sign = pl.when(says > 0).then(2).when(says < 0).then(0).when(says.is_not_null()).then(1).otherwise(_NOTHING_SAID)
    answer = pl.when(nps >= NPS_PROMOTER).then(3).when(nps >= NPS_PASSIVE).then(2).when(nps.is_not_null()).then(1)
    box = pl.when(csat >= CSAT_SATISFIED).then(2).when(csat.is_not_null()).then(1)
    rated = pl.col("place").is_not_null().cast(pl.Int64)
    return ruled.select(
        code=kind * _PER_KIND + sign * 24 + answer.fill_null(0) * 6 + box.fill_null(0) * 2 + rated,
        rating=(pl.col("place") * 1_000_000).round().cast(pl.Int64).fill_null(0),
    )


def _rating_place() -> pl.Expr:
    none = pl.lit(None, pl.Float64)
    return pl.when(pl.col("kind").is_in(["rating", "review"])).then(place_on_scale(none, none))


def _survey_place(metric: str) -> pl.Expr:
    low, high = SURVEY_SCALES[metric]
    asked = (pl.col("kind") == "survey") & (pl.col("label") == metric)
    return pl.when(asked).then(place_on_scale(pl.lit(low), pl.lit(high)))
