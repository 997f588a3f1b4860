"""Rules for `items`: one catalogue entry per item, fit to be shown."""

from __future__ import annotations

import polars as pl

from expectations.rules import (
    Rule,
    Severity,
    between,
    build_column_rules,
    has_rows,
    lengths,
    matches,
    share_present,
    share_true,
    unique,
)
from expectations.suite import Frame, Suite
from expectations.suites.feedback import CALENDAR
from lakehouse.tables.items import ITEMS

COLUMNS = ("item_id", "title", "categories", "price", "currency", "url", "available", "released_at", "updated_at")
SHARE_AVAILABLE = 0.5
"""Below this most of the catalogue may not be recommended: more likely a broken feed than an empty shop."""
SHARE_CATEGORISED = 0.8
"""Below this diversity and reasons have little to go by."""


def derive_items(rows: Frame, catalogue: pl.Series | None = None, /) -> Frame:
    """Add whether an item has a category; pandas cannot compare lists."""
    del catalogue
    if rows.collect_schema().get("categories") != pl.List(pl.String):
        return rows
    return rows.with_columns(categorised=pl.col("categories").list.len() > 0)


def _rules() -> tuple[Rule, ...]:
    return (
        has_rows("there is a catalogue; without one lists show bare ids", Severity.WARNING),
        *build_column_rules(ITEMS, COLUMNS),
        lengths("item_id", 1, 256, "1 to 256 characters"),
        unique(("item_id",), "one entry per item"),
        lengths("title", 1, 1000, "1 to 1,000 characters"),
        between("price", 0, None, "no negative price"),
        matches("currency", "[A-Z]{3}", "an ISO 4217 code"),
        between("updated_at", *CALENDAR, "in the years 1 to 9999"),
        share_true("available", SHARE_AVAILABLE, f"at least {SHARE_AVAILABLE:.0%} of the catalogue can be recommended"),
        share_true("categorised", SHARE_CATEGORISED, f"at least {SHARE_CATEGORISED:.0%} of the items name a category"),
        share_present("released_at", 0.5, "at least half of the items say when they came out"),
    )


ITEMS_SUITE = Suite(
    table=ITEMS,
    rules=_rules(),
    columns=COLUMNS,
    derive=derive_items,
    keys=(ITEMS.key,),
)
