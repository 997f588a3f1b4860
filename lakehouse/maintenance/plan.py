"""Plan the maintenance of a table from its statistics.

A table that lands several times a second grows by small files and small commits. Maintenance puts the files of the open
day together while it lands, rewrites each closed day once (in clustered order, or without rows that later ones
replaced), puts latecomers together, writes checkpoints, and removes what no
reader may still hold. This module only decides; `lakehouse.maintenance.table` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import msgspec

from feedback.settings.maintenance import MaintenanceSettings
from lakehouse.lake import CHECKPOINT_EVERY_COMMITS
from lakehouse.tables.spec import TableSpec

MEBIBYTE = 1024 * 1024

FILE_BYTES = 128 * MEBIBYTE
"""Aim for files of a closed day: large enough to scan, small enough to skip."""
OPEN_FILE_BYTES = 32 * MEBIBYTE
"""Aim for files of the open day: what has reached it is left alone, so a byte is rewritten a few times, not all day."""
MAX_CLOSED_FILES = 50
ROOM = 0.7
"""Share of `MAX_CLOSED_FILES` that a closed day aims at: bin packing never fills every file."""
OPEN_SMALL_FILES = 50
"""Small files of the open day before they are compacted; at 5 commits a second they gather in 10 s."""
CLOSED_SMALL_FILES = 10
"""Small files of late rows in a closed day before they are compacted."""
CLOSES_AFTER = timedelta(hours=1)
"""A day is closed this long after midnight (UTC): landing that is behind still adds to it."""


VACUUM_EVERY = timedelta(minutes=15)
"""How often to list whole folders for what can go: a small part of any retention."""
TRIM_EVERY = timedelta(days=1)
"""How often to trim the feedback log and the online store, whose retention counts in days."""


class Work(StrEnum):
    """The actions on a table, in their order."""

    CHECKPOINT = "checkpoint"
    PROPERTIES = "properties"
    COMPACT = "compact"
    CLUSTER = "cluster"
    SUPERSEDE = "supersede"
    VACUUM = "vacuum"
    CLEAN_LOG = "clean_log"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work: on which table, on which day where it has days, and why."""

    table: str
    work: Work
    day: date | None = None
    target_bytes: int = 0
    marks: bool = False
    """Whether the day counts as rewritten afterwards."""
    reason: str = ""

    @property
    def name(self) -> str:
        """The action in words."""
        return f"{self.work} {self.table}" + (f" of {self.day}" if self.day else "")


class PartitionFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The data files of one day (of all rows, where a table has no days)."""

    day: date | None
    sizes: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Their size in bytes, together."""
        return sum(self.sizes)


class TableStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics that a plan is based on."""

    version: int
    checkpoint: int | None
    rewritten_to: date | None
    """Closed days up to this one were rewritten once, in clustered order or without what was superseded."""
    partitions: tuple[PartitionFiles, ...]
    properties: dict[str, str]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept that are no longer part of the tables."""

    landing_hours: int
    """Replaced files and log entries of tables that grow by day: longer than any reader, and any loop, holds one."""
    history_hours: int
    """The same of tables that the loop replaces: how far back time travel goes."""
    orphan_seconds: float
    """Files that no commit names: longer than any batch takes from its first file to its commit."""

    @staticmethod
    def of(maintenance: MaintenanceSettings) -> Retention:
        """The retention that the settings name."""
        return Retention(
            landing_hours=maintenance.landing_history_hours,
            history_hours=maintenance.lake_history_days * 24,
            orphan_seconds=maintenance.orphan_hours * 3600,
        )

    def hours(self, spec: TableSpec) -> int:
        """For a table's replaced files and its log."""
        return self.landing_hours if spec.partition_by else self.history_hours


def plan(
    spec: TableSpec, statistics: TableStatistics, retention: Retention, *, now: datetime, vacuum: bool
) -> list[Action]:
    """What to do to a table, in order.

    Args:
        spec: The table.
        statistics: Its state.
        retention: How long things are kept.
        now: The time, with a zone.
        vacuum: Whether it is time to look for files and log entries to remove: that lists whole folders.
    """
    actions: list[Action] = []
    behind = statistics.version - (statistics.checkpoint or 0)
    if behind >= CHECKPOINT_EVERY_COMMITS:
        # First, for what follows may take long while commits go on.
        reason = f"{behind} commits since the last checkpoint"
        actions.append(Action(table=spec.name, work=Work.CHECKPOINT, reason=reason))
    if any(statistics.properties.get(name) != value for name, value in properties(spec, retention).items()):
        reason = f"keeps {retention.hours(spec)} hours"
        actions.append(Action(table=spec.name, work=Work.PROPERTIES, reason=reason))
    last_closed = last_closed_day(now)
    for part in sorted(statistics.partitions, key=lambda p: p.day or date.max):
        closed = part.day is not None and part.day <= last_closed
        actions += _closed(spec, part, statistics.rewritten_to) if closed else _open(spec, part)
    if vacuum:
        actions.append(Action(table=spec.name, work=Work.VACUUM))
        actions.append(Action(table=spec.name, work=Work.CLEAN_LOG))
    return actions


def due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Return True if it was never done, or last done at least `every` ago."""
    return last is None or now - last >= every


def plainly(action: Action) -> Action:
    """The plan with compaction for days that are too large to be rewritten within the memory cap."""
    return msgspec.structs.replace(action, work=Work.COMPACT, reason="too large to be rewritten within the memory cap")


def properties(spec: TableSpec, retention: Retention) -> dict[str, str]:
    """Table properties that go with the retention: checkpoints and logs forget at the same time as the files."""
    interval = f"interval {retention.hours(spec)} hours"
    return {"delta.logRetentionDuration": interval, "delta.deletedFileRetentionDuration": interval}


def cluster_columns(spec: TableSpec) -> list[str]:
    """What a closed day is clustered by, of the columns that the table has."""
    return [name for name in spec.cluster_by if name in spec.names]


def rewriting(spec: TableSpec) -> Work | None:
    """What is done once to a closed day of a table, beyond compaction."""
    if cluster_columns(spec):
        return Work.CLUSTER
    return Work.SUPERSEDE if spec.latest_by else None


def last_closed_day(now: datetime) -> date:
    """The newest day that is closed."""
    return (now.astimezone(UTC) - CLOSES_AFTER).date() - timedelta(days=1)


def closed_target(total_bytes: int) -> int:
    """The size of a closed day's files, so that there are at most `MAX_CLOSED_FILES`."""
    return max(FILE_BYTES, int(total_bytes / (MAX_CLOSED_FILES * ROOM)))


def small_files(sizes: Sequence[int], target: int) -> int:
    """Files under half the size aimed at; two of them surely fit in one."""
    return sum(1 for size in sizes if size < target // 2)


def _open(spec: TableSpec, part: PartitionFiles) -> list[Action]:
    small = small_files(part.sizes, OPEN_FILE_BYTES)
    if small <= OPEN_SMALL_FILES:
        return []
    reason = f"{small} small files"
    return [Action(table=spec.name, work=Work.COMPACT, day=part.day, target_bytes=OPEN_FILE_BYTES, reason=reason)]


def _closed(spec: TableSpec, part: PartitionFiles, rewritten_to: date | None) -> list[Action]:
    assert part.day is not None
    target = closed_target(part.bytes)
    small = small_files(part.sizes, target)
    reason = f"closed with {len(part.sizes)} files, {small} of them small"
    work = rewriting(spec)
    if work is not None and (rewritten_to is None or part.day > rewritten_to):
        once = Action(table=spec.name, work=work, day=part.day, target_bytes=target, marks=True, reason=reason)
        # It opens every file of the day at once; compaction does not, and leaves it few.
        return [*_open(spec, part), once]
    if small > CLOSED_SMALL_FILES or len(part.sizes) > MAX_CLOSED_FILES:
        work = Work.SUPERSEDE if spec.latest_by else Work.COMPACT  # late panes supersede kept ones
        return [Action(table=spec.name, work=work, day=part.day, target_bytes=target, reason=reason)]
    return []
