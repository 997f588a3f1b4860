"""Choose the rows to validate: all of a small table, and of a large one those that may be broken.

Great Expectations works on a pandas frame in memory, so a table beyond `MAX_ROWS` is not handed over whole. Looked at
are then the newest rows (older ones were looked at by earlier runs, and a landed row never changes), and from the
whole table, found in columns by Polars: every row whose key occurs twice, the rows at both ends of every number and
time, rows that lack a value they must have, one row for each distinct kind, and rows that learning leaves out.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from expectations.suite import Suite
from lakehouse.tables.positions import PLACE

MAX_ROWS = 250_000
"""About two seconds of validation per suite on two cores, and 200 MB of pandas."""
EXTREMES = 50
"""Rows taken from each end of each number and time, and of each kind of odd row."""
NEWEST_BY = ("landed_on", "last_at", "updated_at")
DISTINCT_OF = ("kind",)


def rows_to_validate(
    scan: pl.LazyFrame, suite: Suite, *, max_rows: int = MAX_ROWS, also: Callable[[], pl.DataFrame] | None = None
) -> pl.DataFrame:
    """The rows of a table to validate, in the table's order: all while they are at most `max_rows`.

    Args:
        scan: The table.
        suite: Which columns are wanted, and what is at risk.
        max_rows: The newest rows that are taken of a larger table.
        also: Finds rows of a larger table that are to be among them, where rows have a place in the log.
    """
    rows = scan.select(suite.columns)
    count = int(rows.select(pl.len()).collect().item())
    if count <= max_rows:
        return rows.collect()
    numbered = rows.with_row_index("_row")
    wanted = _rows_at_risk(numbered, suite)
    newest = next((name for name in NEWEST_BY if name in suite.columns), None)
    if newest is not None:
        wanted.append(numbered.select(newest, "_row").top_k(max_rows, by=[newest, "_row"]).select("_row"))
    chosen = pl.concat(wanted).unique()
    found = numbered.join(chosen, on="_row", how="semi").sort("_row").drop("_row").collect()
    if also is None or not set(PLACE) <= set(suite.columns):
        return found
    more = also().select(suite.columns).unique(PLACE, maintain_order=True)
    return pl.concat([found, more.join(found, on=list(PLACE), how="anti", nulls_equal=True, maintain_order="left")])


def _rows_at_risk(numbered: pl.LazyFrame, suite: Suite) -> list[pl.LazyFrame]:
    """Row numbers of the candidates for each rule."""
    found: list[pl.LazyFrame] = []
    for key in suite.keys:
        hashed = numbered.select("_row", key=pl.struct(key).hash())
        twice = hashed.group_by("key").len().filter(pl.col("len") > 1).select("key").head(EXTREMES)
        found.append(hashed.join(twice, on="key", how="semi").select("_row"))
    for column in suite.table.columns:
        name = column.name
        if name not in suite.columns:
            continue
        if not column.nullable:
            found.append(numbered.filter(pl.col(name).is_null()).select("_row").head(EXTREMES))
        if pl.Series([], dtype=numbered.collect_schema()[name]).dtype.is_numeric() or name.endswith("_at"):
            pair = numbered.select(name, "_row").drop_nulls()
            found.extend(
                [pair.top_k(EXTREMES, by=name).select("_row"), pair.bottom_k(EXTREMES, by=name).select("_row")]
            )
        if name in DISTINCT_OF:
            found.append(numbered.group_by(name).agg(pl.col("_row").first()).select("_row"))
    return found
