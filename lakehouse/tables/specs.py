"""The tables of the lake under one import; each is declared in the module of its subject."""

from __future__ import annotations

from lakehouse.tables.evaluations import EVALUATIONS
from lakehouse.tables.feedback import FEEDBACK, FEEDBACK_DERIVED, FEEDBACK_EVENT
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.items import ITEMS
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.replays import REPLAYS
from lakehouse.tables.spec import ATTRIBUTE_TYPES, TIME, Column, TableSpec
from lakehouse.tables.windows import SIGNALS, WINDOW_TALLIES

__all__ = [
    "ATTRIBUTE_TYPES",
    "EVALUATIONS",
    "FEEDBACK",
    "FEEDBACK_DERIVED",
    "FEEDBACK_EVENT",
    "INTERACTIONS",
    "ITEMS",
    "QUARANTINE",
    "REPLAYS",
    "SIGNALS",
    "TIME",
    "WINDOW_TALLIES",
    "Column",
    "TableSpec",
]
