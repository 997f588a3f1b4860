"""Remove old versions of the tables that the loop replaces as a whole.

Time alone does not bound them: a loop that runs every quarter of an hour replaces a table 672 times a week. Beyond the
newest versions, replaced files go, and the log entries before the last checkpoint that the oldest kept version needs.
No commit says so: readers of the kept versions see no change.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec
import pyarrow.fs as pafs

from lakehouse.file_lock import locked
from lakehouse.lake import Lake
from lakehouse.maintenance.checkpoints import last_checkpoint, table_store, write_checkpoint
from lakehouse.maintenance.orphans import list_files
from lakehouse.tables.spec import TableSpec

WAIT_SECONDS = 10.0
"""For a checkpoint or a pass of maintenance that is being written: it takes less, or it is left to the next run."""
LOG = "_delta_log"
_ENTRY = re.compile(r"^(\d{20})\.(json|checkpoint\..*parquet|crc)$")


class HistoryRemoved(msgspec.Struct, frozen=True):
    """How much was removed of one table."""

    files: int = 0
    log_entries: int = 0


def kept_versions(newest: int, oldest: int, *, keep: int) -> list[int]:
    """The versions to keep, of those that can still be read."""
    return list(range(max(oldest, newest - keep + 1), newest + 1))


def readable_from(entries: list[str]) -> int:
    """The oldest version that a log can be read from: 0, or that of its oldest checkpoint."""
    named = [match for name in entries if (match := _ENTRY.match(name))]
    if any(match[2] == "json" and int(match[1]) == 0 for match in named):
        return 0
    return min((int(match[1]) for match in named if match[2].startswith("checkpoint")), default=0)


def obsolete_entries(entries: list[str], oldest_kept: int) -> list[str]:
    """Log entries that no kept version needs: those before the newest checkpoint that each of them can start at."""
    named = [(match, name) for name in entries if (match := _ENTRY.match(name))]
    starts = [int(match[1]) for match, _ in named if match[2].startswith("checkpoint")]
    base = max((version for version in starts if version <= oldest_kept), default=None)
    return [] if base is None else [name for match, name in named if int(match[1]) < base]


def trim_history(lake: Lake, spec: TableSpec, *, keep: int) -> HistoryRemoved:
    """Keep a table's newest versions; nothing where there is no table.

    Raises:
        MaintenanceBusy: Maintenance works on the lake for long.
        LakeError: The table cannot be read.
    """
    if not lake.exists(spec):
        return HistoryRemoved()
    with locked(
        lake.lock_file("upkeep"), what=f"maintenance of {lake.root}", owner="the loop's end", wait_seconds=WAIT_SECONDS
    ):
        store = table_store(lake, spec)
        table = lake.table(spec)
        versions = kept_versions(table.version(), readable_from(_log_entries(store)), keep=keep)
        replaced = table.vacuum(
            retention_hours=0, dry_run=True, enforce_retention_duration=False, keep_versions=versions
        )
        files = _remove(store, replaced)
        if table.version() - (last_checkpoint(lake, spec) or 0) >= keep:
            write_checkpoint(lake, spec, wait_seconds=WAIT_SECONDS)
        with locked(
            lake.lock_file("checkpoint"), what="cleaning logs", owner="log cleaning", wait_seconds=WAIT_SECONDS
        ):
            obsolete = obsolete_entries(_log_entries(store), versions[0])
            return HistoryRemoved(files, _remove(store, [f"{LOG}/{name}" for name in obsolete]))


def _log_entries(store: pafs.FileSystem) -> list[str]:
    return [entry.base_name for entry in store.get_file_info(pafs.FileSelector(LOG))]


def _remove(store: pafs.FileSystem, paths: list[str]) -> int:
    """Remove those of the files that are there; delta-rs names replaced files long after they are gone."""
    wanted = {form for path in paths for form in (path, unquote(path))}
    found = [file.path for file in list_files(store) if file.path in wanted] if wanted else []
    for path in found:
        store.delete_file(path)
    return len(found)
