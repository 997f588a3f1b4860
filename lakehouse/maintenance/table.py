"""Maintenance of one table: read its statistics, do one action. Runs in the child process, under its memory cap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from lakehouse.lake import Lake
from lakehouse.maintenance.checkpoints import NO_CHECKPOINT, clean_log, last_checkpoint, write_checkpoint
from lakehouse.maintenance.orphans import remove_orphans
from lakehouse.maintenance.plan import (
    Action,
    PartitionFiles,
    Retention,
    TableStatistics,
    Work,
    cluster_columns,
    properties,
)
from lakehouse.maintenance.superseded_panes import keep_latest_panes
from lakehouse.store_errors import is_torn_listing
from lakehouse.tables.spec import TableSpec

REWRITTEN = "upkeep/clustered"
"""Under this application id stands the newest closed day of a table that was rewritten, as its ordinal."""
ATTEMPTS = 3
"""An erasure or a changed property in between refuses a rewrite; it is tried again, then left to the next pass."""
CHECKPOINT_WAIT_SECONDS = 10.0
SORT_SHARE = 4
"""A quarter of the memory cap is for sorting, the rest spills: seen to sort 3 M rows within 660 of 1,024 MiB."""


T = TypeVar("T")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one action did."""

    action: Action
    done: bool = True
    problem: str = ""
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    replaced_removed: int = 0
    orphans_removed: int = 0
    orphan_bytes: int = 0
    commits_removed: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0


def read_statistics(lake: Lake, spec: TableSpec) -> TableStatistics:
    """A table's state from its newest snapshot."""
    table = lake.table(spec)
    adds = pa.table(table.get_add_actions(flatten=True))
    column = f"partition.{spec.partition_by[0]}" if spec.partition_by else None
    days = adds.column(column).to_pylist() if column and adds.num_rows else [None] * adds.num_rows
    sizes: dict[date | None, list[int]] = {}
    for day, size in zip(days, adds.column("size_bytes").to_pylist(), strict=True):
        sizes.setdefault(day, []).append(int(size or 0))
    rewritten = table.transaction_version(REWRITTEN)
    return TableStatistics(
        version=table.version(),
        checkpoint=last_checkpoint(lake, spec),
        rewritten_to=date.fromordinal(rewritten) if rewritten else None,
        partitions=tuple(PartitionFiles(day=day, sizes=tuple(found)) for day, found in sizes.items()),
        properties={name: value for name, value in table.metadata().configuration.items() if value is not None},
    )


def perform(lake: Lake, spec: TableSpec, action: Action, retention: Retention, *, now: datetime, cap: int) -> Outcome:
    """Do one action; `cap` is the memory that the process may take, in bytes.

    Raises:
        CommitFailedError: A rewrite was refused again and again.
        MaintenanceBusy: Another process writes a checkpoint, and goes on doing so.
    """
    match action.work:
        case Work.CHECKPOINT:
            write_checkpoint(lake, spec, wait_seconds=CHECKPOINT_WAIT_SECONDS)
            return Outcome(action=action)
        case Work.PROPERTIES:
            lake.table(spec).alter.set_table_properties(
                properties(spec, retention), post_commithook_properties=NO_CHECKPOINT
            )
            return Outcome(action=action)
        case Work.COMPACT | Work.CLUSTER:
            return _rewrite(lake, spec, action, cap=cap)
        case Work.SUPERSEDE:
            return _supersede(lake, spec, action, now=now)
        case Work.VACUUM:
            return _vacuum(lake, spec, action, retention, now=now)
        case Work.CLEAN_LOG:
            return Outcome(action=action, commits_removed=clean_log(lake, spec, wait_seconds=CHECKPOINT_WAIT_SECONDS))


def _rewrite(lake: Lake, spec: TableSpec, action: Action, *, cap: int) -> Outcome:
    metrics = _repeated(lambda: _optimize(lake.table(spec), spec, action, cap=cap))
    if action.marks:
        _mark(lake, spec, action)
    return Outcome(
        action=action,
        files_before=metrics["numFilesRemoved"],
        files_after=metrics["numFilesAdded"],
        bytes_before=_total_bytes(metrics["filesRemoved"]),
        bytes_after=_total_bytes(metrics["filesAdded"]),
    )


def _supersede(lake: Lake, spec: TableSpec, action: Action, *, now: datetime) -> Outcome:
    day = action.day
    assert day is not None
    done = _repeated(lambda: keep_latest_panes(lake, day, at=now))
    if action.marks:
        _mark(lake, spec, action)
    return Outcome(
        action=action,
        files_before=done.files_before,
        files_after=done.files_after,
        bytes_before=done.bytes_before,
        bytes_after=done.bytes_after,
    )


def _repeated(attempt: Callable[[], T]) -> T:
    """Try again what another commit refused, or a listing that met a log being cleaned."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except DeltaError as error:
            if not (isinstance(error, CommitFailedError) or is_torn_listing(error)):
                raise
    return attempt()


def _optimize(table: DeltaTable, spec: TableSpec, action: Action, *, cap: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "target_size": action.target_bytes,
        "max_concurrent_tasks": 1,  # memory grows with the number of tasks, and landing needs the other cores
        "max_spill_size": cap // SORT_SHARE,
        "post_commithook_properties": NO_CHECKPOINT,
    }
    if action.day is not None:
        options["partition_filters"] = [(spec.partition_by[0], "=", action.day.isoformat())]
    if action.work is Work.CLUSTER:
        return table.optimize.z_order(cluster_columns(spec), **options)
    return table.optimize.compact(**options)


def _mark(lake: Lake, spec: TableSpec, action: Action) -> None:
    """Note the day as rewritten, in a commit of its own: delta-rs drops transactions of an optimize commit."""
    assert action.day is not None
    table = lake.table(spec)
    table.create_write_transaction(
        actions=[],
        mode="append",
        schema=table.schema(),
        partition_by=list(spec.partition_by),
        commit_properties=CommitProperties(app_transactions=[Transaction(REWRITTEN, action.day.toordinal())]),
        post_commithook_properties=NO_CHECKPOINT,
    )


def _vacuum(lake: Lake, spec: TableSpec, action: Action, retention: Retention, *, now: datetime) -> Outcome:
    replaced = lake.table(spec).vacuum(
        retention_hours=retention.hours(spec),
        dry_run=False,
        enforce_retention_duration=False,
        post_commithook_properties=NO_CHECKPOINT,
    )
    older_than = timedelta(seconds=retention.orphan_seconds)
    orphans = remove_orphans(lake, spec, lake.table(spec), now=now, older_than=older_than)
    return Outcome(
        action=action,
        replaced_removed=len(replaced),
        orphans_removed=len(orphans),
        orphan_bytes=sum(file.bytes for file in orphans),
    )


def _total_bytes(files: str | dict[str, Any]) -> int:
    """delta-rs reports files as JSON within JSON."""
    found = msgspec.json.decode(files) if isinstance(files, str) else files
    return int(found.get("totalSize") or 0)
