"""What became of the events between two positions, counted from the tables.

The embedded runner's counters say what this pipeline did. Other runners may count a batch again that they ran again,
or count nothing; the tables cannot err.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lakehouse.lake import Lake
from lakehouse.tables import FEEDBACK, QUARANTINE, TableSpec


def count_between(lake: Lake, start: Mapping[int, int], end: Mapping[int, int]) -> tuple[int, dict[str, int]]:
    """Landed events, and refused ones by code, whose offsets lie from `start` up to `end`, per log partition."""
    moved = {partition: at for partition, at in end.items() if at > start.get(partition, 0)}
    if not moved:
        return 0, {}
    landed = int(_rows(lake, FEEDBACK, start, moved).select(pl.len()).collect().item())
    if not lake.exists(QUARANTINE):
        return landed, {}
    codes = _rows(lake, QUARANTINE, start, moved).group_by("code").len().sort("code").collect()
    return landed, dict(codes.iter_rows())


def _rows(lake: Lake, spec: TableSpec, start: Mapping[int, int], end: Mapping[int, int]) -> pl.LazyFrame:
    offset = pl.col("log_offset")
    within = [
        (pl.col("log_partition") == partition) & offset.is_between(start.get(partition, 0), at, closed="left")
        for partition, at in end.items()
    ]
    return lake.scan(spec).filter(pl.any_horizontal(within))
