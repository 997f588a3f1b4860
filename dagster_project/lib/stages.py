"""The loop's stages and their owners: names that assets, pools and pages share."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

LANDING = "landing"
CHECKS = "checks"
FEATURES = "features"
LEARNING = "learning"
PUBLISHING = "publishing"

UPKEEP = "upkeep"
"""Maintenance has its own job and schedule, apart from the loop. Dagster keeps the names by which it knows them."""

STAGES = (LANDING, CHECKS, FEATURES, LEARNING, PUBLISHING)

DATA_OWNERS = ["team:data"]
LEARNING_OWNERS = ["team:learning"]

CODE_VERSION = "2"
"""Raise it when an asset's meaning changes: Dagster then marks earlier materializations as outdated."""


def table_pool(table: str) -> str:
    """The pool of a table that only one writer may replace at a time."""
    return f"delta_{table}"


BUNDLE_POOL = "bundles"
"""The pool of the published pointer."""
MODELS_POOL = "models"
"""Fits take all cores and most of the memory: one at a time."""

FRESH_ENOUGH = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=3), fail_window=timedelta(days=8))
"""The loop does not run on a home without new feedback; a week of silence is worth a look all the same."""
