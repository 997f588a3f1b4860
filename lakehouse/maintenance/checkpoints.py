"""Delta checkpoints: written by one process at a time.

Two at once can tear a checkpoint (delta-rs#4433, #2643), so nobody lets delta-rs write one in its commit hook.
Maintenance writes them. Landing writes them too, so that opening stays quick where only `heed land` runs; it does so
only while no other process writes one, and never waits.
"""

from __future__ import annotations

import contextlib
import json
import re

import pyarrow.fs as pafs
from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError

from feedback.errors import MaintenanceBusy
from lakehouse.file_lock import locked
from lakehouse.lake import CHECKPOINT_EVERY_COMMITS, Lake
from lakehouse.tables.spec import TableSpec

NO_CHECKPOINT = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Commit without checkpoint and log cleaning: both are done under the lock, never in a hook."""

POINTER = "_delta_log/_last_checkpoint"
_COMMIT = re.compile(r"_delta_log/\d{20}\.json$")


def last_checkpoint(lake: Lake, spec: TableSpec) -> int | None:
    """The version of the newest checkpoint; `None` where there is none."""
    store = table_store(lake, spec)
    try:
        with store.open_input_stream(POINTER) as pointer:
            return int(json.loads(pointer.read())["version"])
    except (OSError, ValueError, KeyError):
        return None


def write_checkpoint(lake: Lake, spec: TableSpec, *, wait_seconds: float) -> int:
    """Write a checkpoint of the newest version; returns that version.

    Raises:
        MaintenanceBusy: Another process writes one.
    """
    with locked(
        lake.lock_file("checkpoint"), what="writing checkpoints", owner="a checkpoint", wait_seconds=wait_seconds
    ):
        table = lake.table(spec)
        table.create_checkpoint()
        return table.version()


def clean_log(lake: Lake, spec: TableSpec, *, wait_seconds: float) -> int:
    """Remove log entries that are older than the table's log retention and stand before a checkpoint."""
    with locked(lake.lock_file("checkpoint"), what="cleaning logs", owner="log cleaning", wait_seconds=wait_seconds):
        before = commit_files(lake, spec)
        lake.table(spec).cleanup_metadata()
        return max(0, before - commit_files(lake, spec))


def newer_checkpoint(lake: Lake, spec: TableSpec, table: DeltaTable, known: int, *, write: bool) -> int:
    """After a commit, return the newest checkpoint's version; write one if it is due.

    A committer that has this value grow should open its table anew: a handle goes on replaying every commit after the
    checkpoint that it was opened from, 0.2 ms each, whatever checkpoints came later.

    Args:
        lake: The lake.
        spec: The table.
        table: The committer's handle, at its newest version.
        known: The version of the newest checkpoint that the committer knows of.
        write: Whether to write one where it is due and nobody else is at it; without waiting.
    """
    if table.version() - known < CHECKPOINT_EVERY_COMMITS:
        return known
    newest = max(known, last_checkpoint(lake, spec) or 0)
    if not write or table.version() - newest < CHECKPOINT_EVERY_COMMITS:
        return newest
    # Without a checkpoint landing goes on all the same, and its next commit tries again.
    with contextlib.suppress(MaintenanceBusy, DeltaError, OSError):
        return write_checkpoint(lake, spec, wait_seconds=0)
    return newest


def commit_files(lake: Lake, spec: TableSpec) -> int:
    """The number of commit files in the table's log."""
    listed = table_store(lake, spec).get_file_info(pafs.FileSelector("_delta_log"))
    return sum(1 for entry in listed if _COMMIT.search(entry.path))


def table_store(lake: Lake, spec: TableSpec) -> pafs.FileSystem:
    """The table's folder as a file system; paths are as the Delta log names them."""
    uri = lake.uri(spec)
    if "://" not in uri:
        return pafs.SubTreeFileSystem(uri, pafs.LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler

    return pafs.PyFileSystem(DeltaStorageHandler(uri, lake.storage_options or None))
