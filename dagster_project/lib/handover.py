"""What one asset hands to the next: the version of a table to read, and how far into the log it reaches.

The live stream goes on landing while the loop runs. Every step reads the version that the step before it has built
or checked, never "the latest", so that what was checked is what is learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One version of a Delta table, and what it was built from."""

    table: str
    version: int
    rows: int
    feedback_version: int
    positions: Mapping[int, int] = field(default_factory=dict)
    """Per log partition: rows of `feedback` at a lower offset are in it, all others are not."""
    sources: Mapping[str, int] = field(default_factory=dict)
    """The versions of the tables that it was built from."""


def positions_of(feedback: pl.LazyFrame) -> dict[int, int]:
    """Per log partition, the offset below which every row of these is, and no later row can come.

    A record lands whole or not at all, so one above the highest offset is exact. The committed positions are not:
    they are read at another moment than the rows, and a row that lands in between would be lost to serving.
    """
    ends = feedback.group_by("log_partition").agg(end=pl.col("log_offset").max() + 1).sort("log_partition").collect()
    return {int(partition): int(end) for partition, end in ends.iter_rows()}
