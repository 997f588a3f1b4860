"""Parquet files as rows, with the types that Python and the contract know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedback.bounds import EARLIEST_US, LATEST_US
from feedback.errors import ImportFileError
from gateway.files.formats.tables import check_names

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def read_parquet(path: Path, batch_rows: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file with their number, from 1; times finer than microseconds are cut.

    Raises:
        ImportFileError: It is no Parquet file, two columns have one name, or it stops being readable.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(path)
        check_names(path, file.schema_arrow.names)
        for batch in file.iter_batches(batch_rows):
            frame = pl.from_arrow(_in_utc(pa.Table.from_batches([batch])))
            if isinstance(frame, pl.DataFrame):
                for row in _plain(frame).iter_rows(named=True):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
        place = f" from row {number + 1:,} on" if number else ""
        raise ImportFileError(f"{path}: not a readable Parquet file{place}: {error}") from error


def _in_utc(table: pa.Table) -> pa.Table:
    """Name UTC as the zone of every time that has one: Arrow stores the moment, and Polars knows few zones' names."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp(field.type.unit, "UTC"))
        if pa.types.is_timestamp(field.type) and field.type.tz is not None
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Times in microseconds and UTC; a column with times that Python cannot hold becomes numbers, to be refused."""
    import polars as pl

    columns = []
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime):
            column = frame[name].cast(pl.Datetime("us", dtype.time_zone))
            naive = column.dt.replace_time_zone(None)
            inside = naive.cast(pl.Int64).is_between(EARLIEST_US, LATEST_US)
            columns.append(column if inside.all() else naive.cast(pl.Int64).alias(name))
    return frame.with_columns(columns) if columns else frame
