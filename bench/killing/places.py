"""Snapshots of the coordinates of all rows, reading each data file once, so that watching costs little."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
import pyarrow.parquet as pq

from lakehouse.lake import Lake
from lakehouse.landed.positions import PLACE_TYPES, application_id
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.spec import TableSpec


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of both tables: rows of one version of `feedback` and its positions, `quarantine` a little later."""

    version: int
    positions: dict[int, int]
    feedback: pl.DataFrame
    quarantine: pl.DataFrame


class PlaceReader:
    """Takes snapshots; a data file never changes, so each is read once."""

    def __init__(self, lake: Lake, log_name: str, partitions: int) -> None:
        self._lake = lake
        self._log_name = log_name
        self._partitions = partitions
        self._files: dict[str, pl.DataFrame] = {}

    def snapshot(self) -> Snapshot | None:
        """What a reader sees now; `None` before anything has landed."""
        if not self._lake.exists(FEEDBACK):
            return None
        table = self._lake.table(FEEDBACK)
        applications = {p: application_id(self._log_name, p) for p in range(self._partitions)}
        positions = {p: table.transaction_version(name) or 0 for p, name in applications.items()}
        feedback = self._rows(table.file_uris())
        return Snapshot(table.version(), positions, feedback, self._rows(self._uris(QUARANTINE)))

    def _uris(self, spec: TableSpec) -> Iterable[str]:
        return self._lake.file_uris(spec) if self._lake.exists(spec) else ()

    def _rows(self, uris: Iterable[str]) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=PLACE_TYPES), *(self._read(uri) for uri in uris)])

    def _read(self, uri: str) -> pl.DataFrame:
        if uri not in self._files:
            frame = pl.from_arrow(pq.ParquetFile(uri.removeprefix("file://")).read(columns=list(PLACE_TYPES)))
            assert isinstance(frame, pl.DataFrame)
            self._files[uri] = frame.cast(PLACE_TYPES)  # type: ignore[arg-type]
        return self._files[uri]


def violations(now: Snapshot, before: Snapshot | None) -> list[str]:
    """What a reader may never see: a double, a gap below a position, a row beyond it, a position that goes back."""
    found = [
        f"version {now.version}: partition {p} went back from {before.positions[p]} to {position}"
        for p, position in now.positions.items()
        if before is not None and position < before.positions[p]
    ]
    for partition, position in now.positions.items():
        mine = pl.col("log_partition") == partition
        landed = now.feedback.filter(mine)
        refused = now.quarantine.filter(mine & (pl.col("log_offset") < position))
        rows = pl.concat([landed, refused])
        where = f"version {now.version}, partition {partition}"
        if not rows.select(PLACE).is_duplicated().any() and _is_whole(rows, position):
            continue
        doubles = rows.height - rows.select(PLACE).n_unique()
        beyond = landed.filter(pl.col("log_offset") >= position).height
        seen = rows.filter(pl.col("log_offset") < position)["log_offset"].n_unique()
        found.append(f"{where}: {doubles} doubles, {seen} of {position} records, {beyond} rows beyond the position")
    return found


def _is_whole(rows: pl.DataFrame, position: int) -> bool:
    """Whether the rows are all events of the records from 0 to the position."""
    records = rows.group_by("log_offset").agg(pl.len().alias("rows"), pl.col("log_count").first())
    offsets = records["log_offset"]
    reaches = records.height == position and (position == 0 or (offsets.max(), offsets.min()) == (position - 1, 0))
    return reaches and bool((records["rows"] == records["log_count"]).all())
