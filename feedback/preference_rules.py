"""Preference rules: for each kind of feedback, how much it says for or against its item.

The table is read in two ways with equal results: one event at a time (`signal_of`, for serving) and in columns
(`rule_key`, `rule_frame`, `amount`, for learning and live windows). The text that a person wrote is not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from feedback.contract import SURVEY_SCALES

NPS_PASSIVE = 0.7
"""Where a 0 to 10 promoter score turns: 7 is the first answer that is not a detractor's."""
NPS_PROMOTER = 0.9
"""The place of 9 on the same scale, the first answer that is a promoter's."""
CSAT_SATISFIED = 0.75
"""The top box: 4 and 5 of five, and the answers as high up on any other scale."""


@dataclass(frozen=True, slots=True)
class PreferenceRule:
    """What one kind (or one label of it) says: `gain` times where the value stands.

    A scaled value runs from -1 at the scale's low end over 0 at `neutral` to 1 at its high end. Any other value runs
    linearly from `at_zero` to `at_full` and stays there beyond `full`; without a value the signal is `absent`, and
    a rule without `absent` needs one.
    """

    kind: str
    gain: float
    label: str | None = None
    explicit: bool = False
    scaled: bool = False
    neutral: float = 0.5
    default_scale: tuple[float, float] | None = None
    at_zero: float = 1.0
    at_full: float = 1.0
    full: float = 1.0
    absent: float | None = 1.0

    @property
    def key(self) -> str:
        """The kind, and the label where the label decides."""
        return self.kind if self.label is None else f"{self.kind}/{self.label}"


def _reaction(label: str, gain: float) -> PreferenceRule:
    return PreferenceRule("reaction", gain, label=label, explicit=True)


def _survey(label: str, *, neutral: float = 0.5) -> PreferenceRule:
    scale = SURVEY_SCALES.get(label)
    return PreferenceRule(
        "survey", 1.0, label=label, explicit=True, scaled=True, neutral=neutral, default_scale=scale, absent=None
    )


PREFERENCE_RULES: tuple[PreferenceRule, ...] = (
    PreferenceRule("rating", 1.0, explicit=True, scaled=True, absent=None),
    PreferenceRule("review", 1.0, explicit=True, scaled=True, absent=None),
    _reaction("love", 1.0),
    _reaction("like", 0.6),
    _reaction("helpful", 0.5),
    _reaction("laugh", 0.4),
    _reaction("sad", -0.3),
    _reaction("unhelpful", -0.5),
    _reaction("dislike", -0.8),
    _reaction("angry", -1.0),
    _survey("nps", neutral=NPS_PASSIVE),
    _survey("csat"),
    _survey("ces"),
    _survey("choice"),
    _survey("text"),
    PreferenceRule("view", 0.05),
    PreferenceRule("click", 0.1),
    PreferenceRule("dwell", 0.2, at_zero=0.0, full=60.0, absent=None),
    PreferenceRule("scroll", 0.05, at_zero=0.0, absent=None),
    PreferenceRule("skip", -0.15, at_full=0.2, full=30.0),
    PreferenceRule("hide", -0.8),
    PreferenceRule("follow", 0.6),
    PreferenceRule("bookmark", 0.5),
    PreferenceRule("share", 0.6),
    PreferenceRule("add_to_cart", 0.4),
    PreferenceRule("purchase", 1.0),
    PreferenceRule("return", -1.5),
)
"""Explicit gains are preferences; implicit gains are evidence, in purchases."""

RULE_OF: dict[str, PreferenceRule] = {rule.key: rule for rule in PREFERENCE_RULES}
LABELLED_KINDS: frozenset[str] = frozenset(rule.kind for rule in PREFERENCE_RULES if rule.label is not None)
PREFERENCE_KINDS: frozenset[str] = frozenset(rule.kind for rule in PREFERENCE_RULES)
"""The kinds that can make an interaction."""


class Signal(NamedTuple):
    """What one event says of its item: a stated preference (-1 to 1) or a piece of signed evidence."""

    explicit: bool
    amount: float


def signal_of(
    kind: str,
    value: float | None = None,
    *,
    scale_min: float | None = None,
    scale_max: float | None = None,
    label: str | None = None,
) -> Signal | None:
    """What one event says, or nothing where its kind or its missing value says nothing."""
    rule = RULE_OF.get(f"{kind}/{label}" if kind in LABELLED_KINDS else kind)
    if rule is None:
        return None
    number = value if value is not None and math.isfinite(value) else None
    if number is None:
        return None if rule.absent is None else Signal(rule.explicit, rule.gain * rule.absent)
    if not rule.scaled:
        share = min(max(number / rule.full, 0.0), 1.0)
        return Signal(rule.explicit, rule.gain * (rule.at_zero + (rule.at_full - rule.at_zero) * share))
    low, high = (scale_min, scale_max)
    if low is None or high is None:
        low, high = rule.default_scale or (None, None)
    if low is None or high is None or not low < high or not math.isfinite(high - low):
        return None
    place = min(max((number - low) / (high - low), 0.0), 1.0) - rule.neutral
    return Signal(rule.explicit, rule.gain * place / (1.0 - rule.neutral if place >= 0.0 else rule.neutral))


def rule_key() -> pl.Expr:
    """Which rule an event falls under; joins with `rule_frame`."""
    labelled = pl.col("kind").is_in(sorted(LABELLED_KINDS))
    return pl.when(labelled).then(pl.col("kind") + "/" + pl.col("label").fill_null("")).otherwise(pl.col("kind"))


def rule_frame() -> pl.DataFrame:
    """The table in columns, one row per rule, by `key`."""
    rows = [
        (r.key, r.explicit, r.scaled, r.gain, r.neutral, *(r.default_scale or (None, None)), *_course(r))
        for r in PREFERENCE_RULES
    ]
    names = ["key", "is_explicit", "scaled", "gain", "neutral", "default_min", "default_max"]
    names += ["at_zero", "at_full", "full", "absent"]
    schema = {name: pl.Float64 for name in names} | {"key": pl.String, "is_explicit": pl.Boolean, "scaled": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _course(rule: PreferenceRule) -> tuple[float | None, ...]:
    return rule.at_zero, rule.at_full, rule.full, rule.absent


def amount() -> pl.Expr:
    """`signal_of` in columns: signed preference or evidence; null where the event says nothing."""
    value = pl.when(pl.col("value").is_finite()).then(pl.col("value"))
    share = (value / pl.col("full")).clip(0.0, 1.0)
    linear = pl.col("at_zero") + (pl.col("at_full") - pl.col("at_zero")) * share
    place = place_on_scale(pl.col("default_min"), pl.col("default_max")) - pl.col("neutral")
    reach = pl.when(place >= 0.0).then(1.0 - pl.col("neutral")).otherwise(pl.col("neutral"))
    scaled = place / reach
    moved = pl.when(pl.col("scaled")).then(scaled).otherwise(linear)
    return pl.col("gain") * pl.when(value.is_null()).then(pl.col("absent")).otherwise(moved)


def place_on_scale(default_min: pl.Expr, default_max: pl.Expr) -> pl.Expr:
    """Where `value` stands on its scale, from 0 to 1; null without a finite value or a usable scale.

    Args:
        default_min: Lowest possible value where the event states no scale; may be null.
        default_max: Highest possible value.
    """
    value = pl.when(pl.col("value").is_finite()).then(pl.col("value"))
    has_scale = pl.col("scale_min").is_not_null() & pl.col("scale_max").is_not_null()
    low = pl.when(has_scale).then(pl.col("scale_min")).otherwise(default_min)
    high = pl.when(has_scale).then(pl.col("scale_max")).otherwise(default_max)
    usable = (low < high) & (high - low).is_finite()
    return pl.when(usable).then(((value - low) / (high - low)).clip(0.0, 1.0))
