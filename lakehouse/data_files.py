"""Data files of a Delta table, written before the commit that names them."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from lakehouse.lake import Lake, conform
from lakehouse.tables.spec import TableSpec

DELTA_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"
"""How Delta writes a time in its statistics."""


def write_files(lake: Lake, spec: TableSpec, rows: pa.Table, *, at: datetime) -> list[AddAction]:
    """Write rows as one Parquet file per partition value; nothing names the files until a commit does."""
    if not rows.num_rows:
        return []
    frame = conform(spec, rows)
    adds = []
    for values, part in _parts(spec, frame):
        folder = "/".join(f"{name}={value}" for name, value in values.items())
        path = "/".join(filter(None, (folder, f"{uuid.uuid4()}.zstd.parquet")))
        stored = part.drop_columns(list(spec.partition_by)) if spec.partition_by else part
        size = _write_parquet(lake, spec, f"{lake.uri(spec)}/{path}", stored)
        modified = int(at.timestamp() * 1000)
        adds.append(AddAction(path, size, dict(values), modified, True, json.dumps(_statistics(spec, stored))))
    return adds


def _write_parquet(lake: Lake, spec: TableSpec, uri: str, rows: pa.Table) -> int:
    """Write one file; returns its size in bytes."""
    options: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": [name for name in rows.column_names if name not in spec.unlike_columns],
        "write_statistics": [name for name in rows.column_names if name in spec.stats_columns],
    }
    if "://" in uri:
        from deltalake.fs import DeltaStorageHandler

        base, _, name = uri.rpartition("/")
        store = pafs.PyFileSystem(DeltaStorageHandler(base, lake.storage_options or None))
        pq.write_table(rows, name, filesystem=store, **options)
        return int(store.get_file_info(name).size)
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file:  # Arrow's own file: each write to a Python file would wait for the GIL
        pq.write_table(rows, file, **options)
        size = file.tell()
    return size


def _parts(spec: TableSpec, rows: pa.Table) -> list[tuple[dict[str, str | None], pa.Table]]:
    if not spec.partition_by:
        return [({}, rows)]
    (name,) = spec.partition_by
    values = rows.column(name).unique().to_pylist()
    if len(values) == 1:
        return [({name: str(values[0])}, rows)]
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    parts = frame.partition_by(name, as_dict=True)
    return [({name: str(value)}, conform(spec, part.to_arrow())) for (value,), part in parts.items()]


def _statistics(spec: TableSpec, rows: pa.Table) -> dict[str, object]:
    """Delta's file statistics, for the columns that may stand in the log in clear."""
    names = [name for name in spec.stats_columns if name in rows.column_names]
    if not names:
        return {"numRecords": rows.num_rows}
    frame = pl.from_arrow(rows.select(names))
    assert isinstance(frame, pl.DataFrame)
    times = [name for name, type_ in frame.schema.items() if isinstance(type_, pl.Datetime)]
    bounds = frame.select(
        expression
        for name in names
        for expression in (
            pl.col(name).null_count().alias(f"{name} nulls"),
            *(
                value.dt.strftime(DELTA_TIME) if name in times else value
                for value in (pl.col(name).min().alias(f"{name} min"), pl.col(name).max().alias(f"{name} max"))
            ),
        )
    ).row(0, named=True)
    known = [name for name in names if bounds[f"{name} nulls"] < rows.num_rows]
    return {
        "numRecords": rows.num_rows,
        "minValues": {name: _json_value(bounds[f"{name} min"]) for name in known},
        "maxValues": {name: _json_value(bounds[f"{name} max"]) for name in known},
        "nullCount": {name: bounds[f"{name} nulls"] for name in names},
    }


def _json_value(value: object) -> object:
    return str(value) if isinstance(value, date) else value
