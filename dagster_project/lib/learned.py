"""The rows that learning reads: `feedback` without rows that break a rule, and the interactions built from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from expectations.screening import Screening
from expectations.suites.feedback import FEEDBACK_SUITE
from expectations.suites.interactions import INTERACTIONS_SUITE
from feedback.bounds import DEFAULT_MAX_FUTURE
from feedback.preference_rules import PREFERENCE_KINDS
from lakehouse.tables.interactions import INTERACTIONS
from models.linked_subjects import as_persons, canonical_frame
from models.preferences import build_interactions


@dataclass(frozen=True, slots=True, eq=False)
class BuiltInteractions:
    """Interactions, and what was left out on the way to them."""

    rows: pl.DataFrame
    """One row per (subject, item) in the columns of `interactions`."""
    events_left_out: int
    """Events that could have made an interaction and were left out."""
    left_out: Mapping[str, int]
    """Interactions that were left out, by the rules that they break."""


def catalogue_events(feedback: pl.LazyFrame) -> pl.LazyFrame:
    """Catalogue entries to learn from."""
    return _not_ahead(Screening(feedback.filter(pl.col("kind") == "item"), FEEDBACK_SUITE).kept())


def interactions_of(feedback: pl.LazyFrame) -> BuiltInteractions:
    """Interactions from rows of `feedback`: bad rows and repeats are left out, then bad interactions.

    Linked subjects are one person, under the canonical one of them (`feedback.links`).
    """
    events = _evidence(feedback)
    screening = _screened(events, canonical_frame(feedback))
    return BuiltInteractions(screening.kept().collect(), events.counts.rows, screening.counts.broken_rules)


def screened_interactions(feedback: pl.LazyFrame) -> Screening:
    """The interactions that rows of `feedback` make, and which of them are left out."""
    return _screened(_evidence(feedback), canonical_frame(feedback))


def _evidence(feedback: pl.LazyFrame) -> Screening:
    return Screening(feedback.filter(pl.col("kind").is_in(sorted(PREFERENCE_KINDS))), FEEDBACK_SUITE)


def _screened(events: Screening, canonical: pl.DataFrame) -> Screening:
    interactions = build_interactions(as_persons(_not_ahead(events.kept()), canonical))
    return Screening(interactions.select(INTERACTIONS.names).lazy(), INTERACTIONS_SUITE)


def _not_ahead(events: pl.LazyFrame) -> pl.LazyFrame:
    """Limit `occurred_at` to the time of receipt, plus a little clock skew.

    A time far ahead, which a high `max_future_seconds` lets land, would make everything else old, and no later
    statement could replace it.
    """
    latest = pl.col("received_at") + DEFAULT_MAX_FUTURE
    return events.with_columns(occurred_at=pl.min_horizontal("occurred_at", latest))
