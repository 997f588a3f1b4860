"""What a table holds now, from its Delta log alone: no data file is opened."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake import Lake
from lakehouse.tables.spec import TableSpec


@dataclass(frozen=True, slots=True)
class TableState:
    """The current version of a table, and its size."""

    version: int
    files: int
    bytes: int
    rows: int | None
    """None where a data file's entry in the log does not say how many rows it has."""


def table_state(lake: Lake, spec: TableSpec) -> TableState | None:
    """The table's state; None before its first write.

    Raises:
        LakeError: The table's log cannot be read.
    """
    if not lake.exists(spec):
        return None
    table = lake.table(spec)
    with lake.reading(spec):
        entries = pa.table(table.get_add_actions(flatten=True))
    counts = entries["num_records"] if "num_records" in entries.column_names else pa.nulls(entries.num_rows)
    return TableState(
        version=table.version(),
        files=entries.num_rows,
        bytes=pc.sum(entries["size_bytes"]).as_py() or 0,
        rows=None if counts.null_count else pc.sum(counts).as_py() or 0,
    )
