"""Item preferences: what a person thinks of an item, from all statements and behaviour, with weights.

The rules per kind are `feedback.preference_rules`. Two equal readings: columns at a time for learning
(`build_interactions`) and one event at a time for serving (`merged`), so that a list never
depends on which of the two saw an event.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.preference_rules import (
    PREFERENCE_KINDS,
    PREFERENCE_RULES,
    PreferenceRule,
    Signal,
    amount,
    rule_frame,
    rule_key,
    signal_of,
)
from lakehouse.tables.positions import PLACE

__all__ = [
    "EVIDENCE_CAP",
    "EXPLICIT_SHARE",
    "FULL_PREFERENCE",
    "NEUTRAL_WEIGHT",
    "PREFERENCE_KINDS",
    "PREFERENCE_RULES",
    "ItemPreference",
    "PreferenceRule",
    "Signal",
    "Stance",
    "build_interactions",
    "combined",
    "merged",
    "signal_of",
    "stance_of",
    "weighed",
]

Floats = npt.NDArray[np.float64]

MOMENTS = ("first_at", "last_at", "explicit_at", "wanted_at")

EXPLICIT_SHARE = 3.0
"""How much a stated preference outvotes behaviour: more than any behaviour can weigh (1), so words win."""
EVIDENCE_CAP = 3.0
"""Behaviour beyond three purchases' worth adds no confidence."""
NEUTRAL_WEIGHT = 1 / 3
"""Confidence of a stated preference in the middle of its scale: a 3 of 1 to 5 says that somebody cared to rate."""
FULL_PREFERENCE = 0.5
"""How far from the middle a stated preference counts in full: 4 and 5, and 1 and 2, of 1 to 5."""
TAKES_SIDES = 0.25
"""How far from the middle a stated preference is called a like or a dislike."""


class Stance(StrEnum):
    """Stances: the words for a preference that a reason may use."""

    LIKED = "liked"
    DISLIKED = "disliked"
    RATED = "rated"
    """Stated, and neither for nor against."""
    TOUCHED = "touched"
    """They bought it, clicked on it or the like, and stated nothing."""
    PASSED_OVER = "passed over"
    """They skipped, hid or returned it, and stated nothing."""


def stance_of(explicit: float, implicit: float) -> Stance:
    """What is claimed of one item preference; `explicit` is NaN where nothing was stated."""
    if explicit != explicit:
        return Stance.TOUCHED if implicit >= 0 else Stance.PASSED_OVER
    if abs(explicit) < TAKES_SIDES:
        return Stance.RATED
    return Stance.LIKED if explicit > 0 else Stance.DISLIKED


class ItemPreference(NamedTuple):
    """What one person thinks of one item: the latest stated preference and the sum of signed evidence."""

    explicit: float | None = None
    explicit_at: int = 0
    """Microseconds since 1970 (UTC) of the stated preference; 0 without one."""
    implicit: float = 0.0


def merged(before: ItemPreference | None, signal: Signal, *, occurred_at: int) -> ItemPreference:
    """An item preference after one more event, which stands later in the log than all that made the preference.

    Args:
        before: The preference until then; None for the first event.
        signal: What the event says.
        occurred_at: When it happened, microseconds since 1970 (UTC). The latest stated preference wins, of two at
            the same time the one later in the log.
    """
    known = before or ItemPreference()
    if not signal.explicit:
        return known._replace(implicit=known.implicit + signal.amount)
    if known.explicit is not None and occurred_at < known.explicit_at:
        return known
    return known._replace(explicit=signal.amount, explicit_at=occurred_at)


def combined(one: ItemPreference | None, other: ItemPreference) -> ItemPreference:
    """What two linked subjects think of one item, as if one person had said and done all of it."""
    if one is None:
        return other
    stated = [known for known in (one, other) if known.explicit is not None]
    latest = max(stated, key=lambda known: known.explicit_at, default=one)
    return latest._replace(implicit=one.implicit + other.implicit)


def weighed(explicit: Floats, implicit: Floats) -> tuple[Floats, Floats]:
    """Preference (-1 to 1) and weight (0 or more) of item preferences given as arrays; `explicit` is NaN where none.

    A stated preference weighs 1, less towards the middle of its scale; behaviour adds to it.
    """
    stated = ~np.isnan(explicit)
    behaviour = np.clip(implicit, -1.0, 1.0)
    blend = (EXPLICIT_SHARE * explicit + behaviour) / (EXPLICIT_SHARE + np.abs(behaviour))
    preference = np.where(stated, blend, behaviour)
    clarity = np.minimum(np.abs(explicit) / FULL_PREFERENCE, 1.0)
    said = np.where(stated, NEUTRAL_WEIGHT + (1.0 - NEUTRAL_WEIGHT) * clarity, 0.0)
    weight = said + np.minimum(np.abs(implicit), EVIDENCE_CAP)
    return preference, weight


def build_interactions(events: pl.LazyFrame) -> pl.DataFrame:
    """One row per (subject, item) from rows of the `feedback` table.

    Rows without subject or item, and kinds that say nothing, are left out. Sorted by subject and item.
    """
    signals = (
        events.filter(pl.col("subject").is_not_null() & pl.col("item_id").is_not_null())
        .filter(pl.col("kind").is_in(sorted(PREFERENCE_KINDS)))
        .select("kind", "subject", "item_id", "value", "scale_min", "scale_max", "label", "occurred_at", *PLACE)
        .with_columns(key=rule_key())
        .join(rule_frame().lazy(), on="key", how="inner")
        .with_columns(amount=amount())
        .filter(pl.col("amount").is_not_null())
    )
    stated = pl.col("is_explicit")
    order = ["occurred_at", *PLACE]
    preferences = (
        signals.sort(order)
        .group_by("subject", "item_id")
        .agg(
            explicit=pl.col("amount").filter(stated).last(),
            implicit=pl.col("amount").filter(~stated).sum(),
            events=pl.len().cast(pl.Int32),
            first_at=pl.col("occurred_at").min(),
            last_at=pl.col("occurred_at").max(),
            explicit_at=pl.col("occurred_at").filter(stated).last(),
            wanted_at=pl.col("occurred_at").filter(pl.col("amount") >= 0).max(),
        )
        .sort("subject", "item_id")
        .collect()
    )
    explicit = preferences["explicit"].fill_null(float("nan")).to_numpy()
    preference, weight = weighed(explicit, preferences["implicit"].to_numpy())
    columns = ["subject", "item_id", "explicit", "implicit", "preference", "weight", "events"]
    times = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in MOMENTS]
    return preferences.with_columns(preference=pl.Series(preference), weight=pl.Series(weight)).select(*columns, *times)
