"""Schema migrations: how a table gains a column, and how older rows and lines are read.

A migration is declared where the table is (`lakehouse.tables`): raise the spec's `version`, add a nullable
`Column` with `added_in`, and name the `attribute` that held its values until then. Nothing is rewritten: `Lake.ensure`
widens the table on the next write, old rows read as null or as what their `attributes` hold, and old readers
see the columns that they know.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from lakehouse.tables.spec import Column


def filled_from_attributes(columns: Iterable[Column]) -> list[pl.Expr]:
    """Expressions that fill nulls of a migrated column from its `attribute`."""
    return [
        pl.coalesce(
            column.name,
            pl.col("attributes").str.json_path_match(f"$.{column.attribute}").cast(_type(column), strict=False),
        ).alias(column.name)
        for column in columns
        if column.attribute is not None
    ]


def absent_columns(columns: Iterable[Column], present: Iterable[str]) -> list[pl.Expr]:
    """Nulls of the right type for columns that an old version of a table lacks."""
    there = frozenset(present)
    return [pl.lit(None, _type(column)).alias(column.name) for column in columns if column.name not in there]


def _type(column: Column) -> pl.DataType:
    empty = pl.from_arrow(pa.array([], column.type))
    assert isinstance(empty, pl.Series)
    return empty.dtype
