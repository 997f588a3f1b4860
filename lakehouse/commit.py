"""Exactly once: data files and log positions in one Delta commit, behind a fence.

The Delta log is the only checkpoint. delta-rs does not refuse a repeated transaction from a fresh snapshot
(delta-rs#3821), so the fence is ours: read the position from the loaded snapshot, compare it with where the batch
starts, and commit through that same snapshot, which delta-rs then refuses if anything concerning it has moved.
Tables other than `feedback` are committed first; `feedback` comes last and its positions are where reading resumes.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from feedback.errors import LakeError, StalePosition
from lakehouse.checkpoints import NO_CHECKPOINT, newer_checkpoint
from lakehouse.lake import Lake, application_id, conform, is_torn_listing
from lakehouse.tables import FEEDBACK, QUARANTINE, TableSpec

MAX_ATTEMPTS = 20
FRESH_SECONDS = 600.0
"""A data file older than this is written anew before it is committed: a process that slept through upkeep's
`upkeep_orphan_hours` (half an hour at least) would commit files that upkeep has removed as orphans."""

FaultPoint = Callable[[str], None]
Positions = Mapping[int, int]


def no_faults(point: str) -> None:
    """The fault hook outside tests: nothing happens."""


@dataclass(frozen=True, slots=True)
class LandingBatch:
    """One micro-batch: where it starts and ends in each partition, and its rows by table."""

    start: Positions
    end: Positions
    feedback: pa.Table
    quarantine: pa.Table


class LandingCommitter:
    """Commits batches of one log, each exactly once; one per worker."""

    def __init__(
        self, lake: Lake, log_name: str, partitions: int, *, checkpoints: bool = True, fault: FaultPoint = no_faults
    ) -> None:
        self._lake = lake
        self._log_name = log_name
        self._partitions = partitions
        self._checkpoints = checkpoints
        self._checkpointed: dict[str, int] = {}
        self._fault = fault
        self._tables: dict[str, DeltaTable] = {}

    def positions(self) -> dict[int, int]:
        """Where reading resumes, from the newest `feedback` snapshot."""
        return self._committed(self._fresh(FEEDBACK), range(self._partitions))

    def commit(self, batch: LandingBatch, *, at: datetime) -> bool:
        """Commit a batch; returns whether it was this call that did so, `False` if it was already there.

        Args:
            batch: The rows and positions.
            at: Modification time to note for the data files.

        Raises:
            StalePosition: The batch overlaps only partly with what is committed, or leaves a gap.
            LakeError: The store kept refusing.
        """
        if batch.quarantine.num_rows:
            self._commit_table(QUARANTINE, batch.quarantine, batch, at=at)
            self._fault("between tables")
        return self._commit_table(FEEDBACK, batch.feedback, batch, at=at)

    def _commit_table(self, spec: TableSpec, rows: pa.Table, batch: LandingBatch, *, at: datetime) -> bool:
        table = self._tables.get(spec.name) or self._fresh(spec)
        adds: list[AddAction] | None = None
        written = 0.0
        for _ in range(MAX_ATTEMPTS):
            table, committed = self._standing(table, spec, batch.end)
            if all(committed[p] >= end for p, end in batch.end.items()):
                return False
            if spec is FEEDBACK:
                self._refuse_overlap(batch, committed)
            else:
                rows = _after(rows, committed)
            if adds is None:
                adds, written = write_files(self._lake, spec, rows, at=at), time.time()
                self._fault("after data file")
            if time.time() - written > FRESH_SECONDS:
                adds = None
                continue
            try:
                self._transact(table, spec, adds, {p: max(end, committed[p]) for p, end in batch.end.items()})
            except DeltaError as error:
                if not isinstance(error, CommitFailedError) and not is_torn_listing(error):
                    raise
                before, table = committed, self._fresh(spec)
                if spec is not FEEDBACK and self._committed(table, batch.end) != before:
                    adds = None
                continue
            self._tables[spec.name] = table
            self._catch_up(spec, table)
            self._fault("after commit")
            self._follow_checkpoints(spec, table)
            return True
        raise LakeError(f"table {spec.name}: the commit was refused {MAX_ATTEMPTS} times; too many writers at once")

    def _transact(self, table: DeltaTable, spec: TableSpec, adds: list[AddAction], end: Positions) -> None:
        transactions = [Transaction(application_id(self._log_name, p), offset) for p, offset in sorted(end.items())]
        table.create_write_transaction(
            actions=list(adds),
            mode="append",
            schema=table.schema(),
            partition_by=list(spec.partition_by),
            commit_properties=CommitProperties(app_transactions=transactions, max_commit_retries=MAX_ATTEMPTS),
            post_commithook_properties=NO_CHECKPOINT,
        )

    def _refuse_overlap(self, batch: LandingBatch, committed: Positions) -> None:
        """A batch must start exactly where its partitions stand; our own check, since delta-rs has none."""
        off = {p: (start, committed[p]) for p, start in batch.start.items() if committed[p] != start}
        if off:
            self._tables.pop(FEEDBACK.name, None)
            words = ", ".join(f"partition {p}: batch starts at {s}, committed is {c}" for p, (s, c) in off.items())
            raise StalePosition(f"log {self._log_name!r}: {words}; read again from the committed positions")

    def _committed(self, table: DeltaTable, partitions: Iterable[int]) -> dict[int, int]:
        return {p: table.transaction_version(application_id(self._log_name, p)) or 0 for p in partitions}

    def _catch_up(self, spec: TableSpec, table: DeltaTable) -> None:
        """Bring the handle to the newest version; the commit is done, so what goes wrong here must not undo it."""
        try:
            table.update_incremental()
        except DeltaError:
            self._tables.pop(spec.name, None)

    def _follow_checkpoints(self, spec: TableSpec, table: DeltaTable) -> None:
        """Open the table anew once a newer checkpoint is there: a handle replays all that came after its own."""
        known = self._checkpointed.get(spec.name, 0)
        newest = newer_checkpoint(self._lake, spec, table, known, write=self._checkpoints)
        if newest > known:
            self._checkpointed[spec.name] = newest
            self._tables.pop(spec.name, None)

    def _standing(
        self, table: DeltaTable, spec: TableSpec, partitions: Iterable[int]
    ) -> tuple[DeltaTable, dict[int, int]]:
        """A handle with its positions; a new one where upkeep has cleaned the log below one that stood idle."""
        try:
            return table, self._committed(table, partitions)
        except DeltaError:
            table = self._fresh(spec)
            return table, self._committed(table, partitions)

    def _fresh(self, spec: TableSpec) -> DeltaTable:
        table = self._lake.ensure(spec)
        self._tables[spec.name] = table
        return table


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
        size = _write_parquet(lake, f"{lake.uri(spec)}/{path}", stored)
        modified = int(at.timestamp() * 1000)
        adds.append(AddAction(path, size, dict(values), modified, True, json.dumps(_statistics(spec, stored))))
    return adds


def _write_parquet(lake: Lake, uri: str, rows: pa.Table) -> int:
    """Write and flush one file; returns its size in bytes."""
    if "://" in uri:
        from deltalake.fs import DeltaStorageHandler

        base, _, name = uri.rpartition("/")
        store = pafs.PyFileSystem(DeltaStorageHandler(base, lake.storage_options or None))
        pq.write_table(rows, name, compression="zstd", filesystem=store)
        return int(store.get_file_info(name).size)
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pq.write_table(rows, file, compression="zstd", write_statistics=True)
        file.flush()
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
    low: dict[str, object] = {}
    high: dict[str, object] = {}
    nulls: dict[str, int] = {}
    for name in spec.stats_columns:
        if name not in rows.column_names:
            continue
        nulls[name] = rows.column(name).null_count
        if nulls[name] == rows.num_rows:
            continue
        bounds: Any = pc.min_max(rows.column(name)).as_py()
        low[name], high[name] = _json_value(bounds["min"]), _json_value(bounds["max"])
    return {"numRecords": rows.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, date) else value


def _after(rows: pa.Table, committed: Positions) -> pa.Table:
    """Rows at or after the committed positions; those below were committed before a crash."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    known = pl.DataFrame(
        {"log_partition": list(committed), "_position": list(committed.values())},
        schema={"log_partition": pl.Int32, "_position": pl.Int64},
    )
    kept = frame.join(known, on="log_partition", how="left").filter(pl.col("log_offset") >= pl.col("_position"))
    return kept.drop("_position").to_arrow()
