"""Rules for `feedback`: the contract's promises, held once more where learning begins.

The gateway and landing refuse what breaks the contract, by the same bounds (`feedback.bounds`). A row that
breaks it here was written around them, or by another release: learning leaves it out. Where a bound is a setting,
rows that landed under an earlier value of it stay good.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from expectations.rules import (
    Condition,
    Rule,
    Severity,
    at_least,
    between,
    build_column_rules,
    damage,
    first_of,
    has_rows,
    in_set,
    lengths,
    matches,
    mostly,
    not_null,
    share_present,
    unique,
)
from expectations.suite import Frame, Suite
from feedback.bounds import DEFAULT_MAX_FUTURE, EARLIEST, FIRST_VERSION, LAST_VERSION, LATEST
from feedback.contract import KINDS, AboutItem
from feedback.subjects import SUBJECT_LENGTH
from lakehouse.owners import owner_column
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

CALENDAR = (EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None))
"""The years 1 to 9999; pandas holds our times as UTC without a zone."""
SHARE_IN_TIME = 0.99
"""Below this more than a few events lie ahead of their receipt: a clock is wrong, or `max_future_seconds` is high."""
SHARE_WITH_ITEM = 0.5
"""Below this most feedback is about no item, and recommendations learn little from it."""

COLUMNS = (
    "v", "id", "kind", "subject", "item_id", "occurred_at", "received_at", "source", "value", "scale_min", "scale_max",
    "label", *PLACE, "log_count", "landed_on",
)  # fmt: skip
OWN = (*PLACE, "log_count", "landed_on")
"""What landing fills in by itself."""

KINDS_WITH_SUBJECT = tuple(kind for kind, struct in KINDS.items() if struct.needs_subject)
KINDS_ABOUT_ITEMS = tuple(kind for kind, struct in KINDS.items() if issubclass(struct, AboutItem))


def derive_feedback(rows: Frame, catalogue: pl.Series | None = None, /) -> Frame:
    """Add the columns that the rules compare with: the id's owner, and the latest times that are usual.

    One that cannot be derived, because a column is missing or of another type, is left out: its rules then say so.
    """
    del catalogue
    schema, utc = rows.collect_schema(), pl.Datetime("us", "UTC")
    derived: dict[str, pl.Expr] = {}
    if schema.get("subject") == pl.String and schema.get("item_id") == pl.String:
        derived["owner"] = owner_column()
    if schema.get("received_at") == utc:
        derived["latest_occurrence"] = pl.col("received_at") + DEFAULT_MAX_FUTURE
    if schema.get("landed_on") == pl.Date:
        next_day = pl.col("landed_on").cast(pl.Datetime("us")) + timedelta(days=1)
        derived["landed_before"] = next_day.dt.replace_time_zone("UTC")
    return rows.with_columns(**derived)


def _rules() -> tuple[Rule, ...]:
    skewed = at_least("latest_occurrence", "occurred_at", "it happened before it arrived, but for 5 minutes of skew")
    ahead = at_least("landed_before", "received_at", "it arrived before it was landed")
    return (
        has_rows("something has landed", Severity.CRITICAL),
        *build_column_rules(FEEDBACK, COLUMNS, own=OWN),
        between("v", FIRST_VERSION, LAST_VERSION, f"a contract version: {FIRST_VERSION} to {LAST_VERSION:,}"),
        in_set("kind", tuple(KINDS), "a kind of the contract"),
        lengths("id", 1, 128, "1 to 128 characters"),
        matches("subject", f"[0-9a-f]{{{SUBJECT_LENGTH}}}", "a pseudonym, never a raw id"),
        not_null("subject", "every kind but catalogue entries belongs to a person", where=_where(KINDS_WITH_SUBJECT)),
        not_null("item_id", "kinds about an item name it", where=_where(KINDS_ABOUT_ITEMS)),
        at_least("value", "scale_min", "no value below its scale"),
        at_least("scale_max", "value", "no value above its scale"),
        at_least("scale_max", "scale_min", "scales run from low to high"),
        between("occurred_at", *CALENDAR, "in the years 1 to 9999"),
        mostly(skewed, SHARE_IN_TIME),
        mostly(ahead, SHARE_IN_TIME),
        first_of(
            ("owner", "kind", "source", "id"),
            "an identity counts once: what lands again after `dedup_window_days` is left out",
            name="unique__owner_id",
        ),
        damage(unique(PLACE, "a place in the log is landed once")),
        damage(between("log_offset", 0, None, "offsets count from 0")),
        share_present("item_id", SHARE_WITH_ITEM, f"at least {SHARE_WITH_ITEM:.0%} of the feedback is about an item"),
    )


def _where(kinds: tuple[str, ...]) -> Condition:
    return Condition("kind", kinds)


FEEDBACK_SUITE = Suite(
    table=FEEDBACK,
    rules=_rules(),
    columns=COLUMNS,
    derive=derive_feedback,
    keys=(PLACE,),
)
