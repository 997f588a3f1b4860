"""Orphans: files that no commit names, left by writers that were killed or refused.

delta-rs's full vacuum would take them with the same retention as replaced files, and does not see the staging files
(`…#1`) of a killed writer at all. So they are found here: what lies in the folder, less what the table names, less what
it names as replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import unquote

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import DeltaTable

from feedback.errors import LakeError
from lakehouse.lake import Lake
from lakehouse.maintenance.checkpoints import table_store
from lakehouse.tables.spec import TableSpec

LOG_FOLDER = "_delta_log/"
_STAGED = re.compile(r"(#\d+|\.tmp)$")
"""Suffixes of staging files of object stores and delta-rs."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file in the table's folder."""

    path: str
    bytes: int
    modified: datetime


def find_orphans(
    listed: Iterable[StoredFile], named: Iterable[str], *, now: datetime, older_than: timedelta
) -> list[StoredFile]:
    """The files in a folder that no commit names and that are too old to belong to a running batch.

    Args:
        listed: What lies in the table's folder.
        named: Paths that the table names, as data or as replaced.
        now: The time.
        older_than: A younger file may still be committed.
    """
    known = {form for path in named for form in (path, unquote(path))}
    return [
        file
        for file in listed
        if file.modified < now - older_than
        and (_STAGED.search(file.path) if file.path.startswith(LOG_FOLDER) else file.path not in known)
    ]


def remove_orphans(
    lake: Lake, spec: TableSpec, table: DeltaTable, *, now: datetime, older_than: timedelta
) -> list[StoredFile]:
    """Remove a table's orphans; returns them.

    Raises:
        LakeError: A file that the table names is not in the listing, which then cannot be trusted.
    """
    active = active_files(table)
    replaced = table.vacuum(retention_hours=0, dry_run=True, enforce_retention_duration=False)
    store = table_store(lake, spec)
    listed = {file.path: file for file in list_files(store)}
    lost = [path for path in active if path not in listed and unquote(path) not in listed]
    if lost:
        raise LakeError(
            f"table {spec.name} at {lake.uri(spec)}: {len(lost)} of its files are not in its folder, such as "
            f"{lost[0]}; no orphan is removed until that is repaired"
        )
    orphans = find_orphans(listed.values(), [*active, *replaced], now=now, older_than=older_than)
    for orphan in orphans:
        store.delete_file(orphan.path)
    return orphans


def list_files(store: pafs.FileSystem) -> list[StoredFile]:
    """Every file of a table's folder, its log among them."""
    found = store.get_file_info(pafs.FileSelector("", recursive=True))
    return [
        StoredFile(entry.path, entry.size, entry.mtime)
        for entry in found
        if entry.type == pafs.FileType.File and entry.mtime is not None
    ]


def active_files(table: DeltaTable) -> list[str]:
    """The data files of the handle's version, as the log names them."""
    return [str(path) for path in pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()]
