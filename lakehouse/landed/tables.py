"""The tables that landing writes: each event of the log becomes one row in one of them.

A table belongs to them if it has all of `COORDINATES`. Audit, counts and repeats look at each of them.
"""

from __future__ import annotations

import polars as pl

from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import POSITION
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import TableSpec

COORDINATES = tuple(column.name for column in POSITION)
"""Where in the log a row's event stands, how many events its record has, and the day on which the log took it."""

OTHERS: tuple[TableSpec, ...] = tuple(
    spec for spec in TABLES.values() if set(COORDINATES) <= set(spec.names) and spec is not FEEDBACK
)
"""All but `feedback`: they are committed before it, so their rows may be ahead of its positions."""


def code_of(spec: TableSpec) -> pl.Expr:
    """Under which `code` the rows of a table other than `feedback` count: their own, else the table's name."""
    return pl.col("code") if "code" in spec.names else pl.lit(spec.name).alias("code")
