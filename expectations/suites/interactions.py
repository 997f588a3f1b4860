"""Rules for `interactions`: signed preferences in their range, one row per (subject, item)."""

from __future__ import annotations

import polars as pl

from expectations.rules import (
    Rule,
    Severity,
    at_least,
    between,
    build_column_rules,
    has_rows,
    lengths,
    matches,
    share_true,
    unique,
)
from expectations.suite import Frame, Suite
from expectations.suites.feedback import CALENDAR
from feedback.subjects import SUBJECT_LENGTH
from lakehouse.tables.interactions import INTERACTIONS

COLUMNS = INTERACTIONS.names
SHARE_IN_CATALOGUE = 0.95
"""Below this more than one in twenty rated items has no catalogue entry: no title, no reasons, not recommendable."""
SHARE_LIKED = 0.05
"""Below this hardly anything is liked: more likely a scale turned upside down than an unhappy crowd."""


def derive_interactions(rows: Frame, catalogue: pl.Series | None = None, /) -> Frame:
    """Add whether the item is in the catalogue (true where there is none to look in) and whether it is liked."""
    frame = rows
    if rows.collect_schema().get("item_id") == pl.String:
        known = pl.lit(True) if catalogue is None else pl.col("item_id").is_in(catalogue.implode())
        frame = frame.with_columns(in_catalogue=known)
    if rows.collect_schema().get("preference") == pl.Float64:
        frame = frame.with_columns(liked=pl.col("preference").fill_null(0.0) > 0.0)
    return frame


def _rules() -> tuple[Rule, ...]:
    return (
        has_rows("there is feedback to learn from", Severity.CRITICAL),
        *build_column_rules(INTERACTIONS, COLUMNS),
        matches("subject", f"[0-9a-f]{{{SUBJECT_LENGTH}}}", "a pseudonym, never a raw id"),
        lengths("item_id", 1, 256, "1 to 256 characters"),
        unique(("subject", "item_id"), "one row per person and item"),
        between("explicit", -1, 1, "stated preference from -1 to 1"),
        between("preference", -1, 1, "signed preference from -1 to 1"),
        between("weight", 0, None, "confidence is never negative"),
        between("events", 1, None, "at least one event behind each row"),
        between("first_at", *CALENDAR, "in the years 1 to 9999"),
        at_least("last_at", "first_at", "the last event is not before the first"),
        share_true(
            "in_catalogue",
            SHARE_IN_CATALOGUE,
            f"at least {SHARE_IN_CATALOGUE:.0%} of the interactions are about an item of the catalogue",
        ),
        share_true("liked", SHARE_LIKED, f"at least {SHARE_LIKED:.0%} of the interactions are liked"),
    )


INTERACTIONS_SUITE = Suite(
    table=INTERACTIONS,
    rules=_rules(),
    columns=COLUMNS,
    derive=derive_interactions,
    keys=(INTERACTIONS.key,),
    needs_catalogue=True,
)
