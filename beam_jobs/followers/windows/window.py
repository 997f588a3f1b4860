"""Windows as pure functions over columns: which window an event falls into, whether in time, and what it counts.

The rule is one comparison of the event's two times, so that a stream, a drain and a repeat decide the same: an
event counts in the window of its `occurred_at` if the log took it (`appended_at`) before the window's end plus the
allowed lateness. One that came later counts as `late` in the window in which the log took it.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from feedback.contract import KINDS, SURVEY_SCALES
from feedback.preference_rules import (
    CSAT_SATISFIED,
    NPS_PASSIVE,
    NPS_PROMOTER,
    amount,
    place_on_scale,
    rule_frame,
    rule_key,
)
from lakehouse.sketches import numbers_of
from lakehouse.window_rows import SIZES

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
LATE = _PER_KIND * (len(_KINDS) + 1)
"""The code of an event that comes too late for its window, above those of every kind and of an unknown one."""
CODES = LATE + 1
_TOLD = ("kind", "label", "value", "scale_min", "scale_max")
"""What decides a code; few distinct among many events, so it is worked out once for each."""
_NOTHING_SAID = 3


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


def told_by(code: pl.Expr) -> dict[str, pl.Expr]:
    """By tally, whether an event with that code counts in it; `rating_millionths` is a sum, and not among them."""
    said = code != LATE
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
        "late": ~said,
    }
    return named | {f"n_{kind}": said & (code // _PER_KIND == row) for row, kind in enumerate(_KINDS)}


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
