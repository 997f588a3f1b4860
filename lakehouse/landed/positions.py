"""Positions: the next offset to land per partition, and which rows lie between two of them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from lakehouse.tables.positions import PLACE, POSITION

Positions = Mapping[int, int]
"""Per log partition, the offset below which everything has landed."""

Spans = Mapping[int, tuple[int, int]]
"""Per log partition, a position and a later one; records lie between them from the first up to before the second."""

PLACE_TYPES: Mapping[str, pl.DataType] = pl.Schema(
    pa.schema([(column.name, column.type) for column in POSITION if column.name in (*PLACE, "log_count")])
)
"""Types of the columns that say where in the log a row comes from, and of how many events its record holds."""

NOTES = "landing"
"""Prefix of the application ids of positions and notes in the Delta log."""


def application_id(log_name: str, partition: int) -> str:
    """The application id of a partition's position in the Delta log."""
    return f"{NOTES}/{log_name}/{partition}"


def note_id(name: str) -> str:
    """The application id of a named number in the Delta log."""
    return f"{NOTES}/{name}"


def clock_note(log_name: str, partition: int) -> str:
    """The name of the number that holds a partition's clock, in ms since 1970."""
    return f"{log_name}/{partition}/clock"


def era_note(log_name: str, partition: int) -> str:
    """The name of the number that holds the start of an era that the clock does not follow yet, in ms since 1970."""
    return f"{log_name}/{partition}/era"


def spans(start: Positions, end: Positions) -> dict[int, tuple[int, int]]:
    """From one position of each partition up to another (where it had none: from the beginning), where it is later."""
    return {p: (start.get(p, 0), at) for p, at in end.items() if start.get(p, 0) < at}


def within(spans: Spans) -> pl.Expr:
    """Whether a row (`log_partition`, `log_offset`) lies in one of these spans, of which there is one at least."""
    return pl.any_horizontal(
        (pl.col("log_partition") == p) & pl.col("log_offset").is_between(start, end, closed="left")
        for p, (start, end) in spans.items()
    )
