"""What became of the events between two positions, counted from the tables.

The embedded runner's counters say what this pipeline did. Other runners count a retried batch twice, or
count nothing; the tables are exact.
"""

from __future__ import annotations

import polars as pl

from lakehouse.lake import Lake
from lakehouse.landed.positions import Positions, spans, within
from lakehouse.tables.specs import FEEDBACK, QUARANTINE


def count_between(lake: Lake, start: Positions, end: Positions) -> tuple[int, dict[str, int]]:
    """Landed events, and refused ones by code, whose offsets lie from `start` up to `end`, per log partition."""
    moved = spans(start, end)
    if not moved:
        return 0, {}
    landed = int(lake.scan(FEEDBACK).filter(within(moved)).select(pl.len()).collect().item())
    if not lake.exists(QUARANTINE):
        return landed, {}
    codes = lake.scan(QUARANTINE).filter(within(moved)).group_by("code").len().sort("code").collect()
    return landed, dict(codes.iter_rows())
