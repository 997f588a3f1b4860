"""What became of the events between two positions, counted from the tables.

The embedded runner's counters say what this pipeline did. Other runners count a retried batch twice, or
count nothing; the tables are exact.
"""

from __future__ import annotations

import polars as pl

from lakehouse.lake import Lake
from lakehouse.landed.positions import Positions, spans, within
from lakehouse.landed.tables import OTHERS, code_of
from lakehouse.tables.feedback import FEEDBACK


def count_between(lake: Lake, start: Positions, end: Positions) -> tuple[int, dict[str, int]]:
    """Landed events, and others by code, whose offsets lie from `start` up to `end`, per log partition."""
    moved = spans(start, end)
    if not moved:
        return 0, {}
    landed = int(lake.scan(FEEDBACK).filter(within(moved)).select(pl.len()).collect().item())
    codes: dict[str, int] = {}
    for spec in OTHERS:
        if lake.exists(spec):
            rows = lake.scan(spec).filter(within(moved)).select(code_of(spec))
            codes |= dict(rows.group_by("code").len().sort("code").collect().iter_rows())
    return landed, codes
