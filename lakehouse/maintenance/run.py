"""Run maintenance: one pass over every table in a child process with a memory cap, by one process at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import msgspec
import psutil  # type: ignore[import-untyped]

from feedback.errors import MaintenanceFailed
from feedback.settings.home import Settings
from feedback.settings.source import ROOT
from lakehouse.file_lock import locked
from lakehouse.lake import Lake, open_lake
from lakehouse.maintenance.child import NO_MEMORY, Ended, Job, Line, MeasuredTable, Started, Unreadable
from lakehouse.maintenance.plan import Retention, Work
from lakehouse.maintenance.table import Outcome
from lakehouse.tables.registry import TABLES

MEBIBYTE = 1024 * 1024
MAX_CHILDREN = 20
"""How many children of one pass may die."""
WATCH_SECONDS = 0.05
"""How often to look at the child: sorting without a limit was seen to take 1.5 GB in 14 s, 5 MB in this time."""
HEADROOM = 1 / 16
"""The child is ended this far below its cap, for it grows between two looks, further where the machine is busy."""

Stopped = Callable[[], bool]


class TableMaintenance(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass did to one table."""

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rewritten_files: int
    checkpoints: int
    replaced_removed: int
    orphans_removed: int
    orphan_bytes: int
    commits_removed: int


class MaintenanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass did."""

    tables: list[TableMaintenance]
    problems: list[str]
    seconds: float
    peak_bytes: int
    cap_bytes: int

    @property
    def orphans_removed(self) -> int:
        """Over all tables."""
        return sum(table.orphans_removed for table in self.tables)


def holding_service(settings: Settings) -> AbstractContextManager[int]:
    """Hold the lock of `heed maintain --every` on this lake.

    Raises:
        MaintenanceBusy: Another one runs.
    """
    lake = open_lake(settings)
    return locked(lake.lock_file("upkeep-service"), what=f"maintenance of {lake.root}", owner="`heed maintain --every`")


def run_maintenance(
    settings: Settings,
    *,
    vacuum: bool = True,
    owner: str = "maintenance",
    wait_seconds: float = 0.0,
    stopped: Stopped = lambda: False,
) -> MaintenanceReport:
    """One pass over every table.

    Args:
        settings: Of the home.
        vacuum: Whether to look for files and log entries to remove.
        owner: Who does it, for the refusal that others get meanwhile.
        wait_seconds: How long to wait while another pass runs.
        stopped: Asked all the time; once true, the child is ended. What it wrote by then is an orphan for later.

    Raises:
        MaintenanceBusy: Another process does maintenance on this lake.
        MaintenanceFailed: The child does not start.
    """
    lake = open_lake(settings)
    with locked(
        lake.lock_file("upkeep"), what=f"maintenance of {lake.root}", owner=owner, wait_seconds=wait_seconds
    ) as lock:
        return _pass(settings, lake, lock, vacuum=vacuum, stopped=stopped)


def _pass(settings: Settings, lake: Lake, lock: int, *, vacuum: bool, stopped: Stopped) -> MaintenanceReport:
    started = time.monotonic()
    job = Job(
        root=lake.root,
        options=lake.storage_options,
        lock_folder=str(settings.paths.run_folder),
        retention=Retention.of(settings.maintenance),
        cap_bytes=settings.maintenance.memory_mb * MEBIBYTE,
        vacuum=vacuum,
        tables=tuple(TABLES),
    )
    collected = _Collected()
    for _ in range(MAX_CHILDREN):
        end = _run_child(settings, job, lock, collected, stopped)
        if end is None or stopped():
            break
        job = _without(job, end, collected)
    return MaintenanceReport(
        tables=collected.by_table(),
        problems=collected.problems,
        seconds=time.monotonic() - started,
        peak_bytes=collected.peak_bytes,
        cap_bytes=job.cap_bytes,
    )


class _Collected:
    """The reports of one pass's children."""

    def __init__(self) -> None:
        self.states: dict[str, dict[bool, MeasuredTable]] = {}
        self.outcomes: list[Outcome] = []
        self.problems: list[str] = []
        self.running: Started | None = None

    @property
    def peak_bytes(self) -> int:
        return max((outcome.peak_bytes for outcome in self.outcomes), default=0)

    def add(self, line: Line) -> None:
        """Take over one line."""
        match line:
            case MeasuredTable():
                states = self.states.setdefault(line.table, {})
                if line.after or False not in states:  # only the first child's "before" counts
                    states[line.after] = line
            case Started():
                self.running = line
            case Ended():
                self.running = None
                self.outcomes.append(line.outcome)
                if not line.outcome.done:
                    self.problems.append(f"{line.outcome.action.name}: {line.outcome.problem}")
            case Unreadable():
                self.problems.append(f"{line.table}: {line.problem}")

    def by_table(self) -> list[TableMaintenance]:
        """Sums by table, for those that exist."""
        return [_sums(name, states, self.outcomes) for name, states in self.states.items()]


def _sums(name: str, states: dict[bool, MeasuredTable], outcomes: list[Outcome]) -> TableMaintenance:
    mine = [outcome for outcome in outcomes if outcome.action.table == name and outcome.done]
    before = states[min(states)]
    after = states[max(states)]
    return TableMaintenance(
        table=name,
        files_before=before.files,
        files_after=after.files,
        bytes_before=before.bytes,
        bytes_after=after.bytes,
        rewritten_files=sum(o.files_before for o in mine),
        checkpoints=sum(o.action.work is Work.CHECKPOINT for o in mine),
        replaced_removed=sum(o.replaced_removed for o in mine),
        orphans_removed=sum(o.orphans_removed for o in mine),
        orphan_bytes=sum(o.orphan_bytes for o in mine),
        commits_removed=sum(o.commits_removed for o in mine),
    )


def _run_child(
    settings: Settings, job: Job, lock: int, collected: _Collected, stopped: Stopped
) -> subprocess.CompletedProcess[bytes] | None:
    """Run one child to its end; gives how it ended where that was not well."""
    settings.paths.run_folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="maintenance-", dir=settings.paths.run_folder) as spill,
        tempfile.TemporaryFile() as errors,
    ):
        environment = {**os.environ, "TMPDIR": spill, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "1"}
        child = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.maintenance.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            pass_fds=(lock,),  # the lock is held until the child is gone, whatever happens to us
        )
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(job))
        child.stdin.close()
        watcher = threading.Thread(target=_watch, args=(child, job.cap_bytes, stopped), daemon=True)
        watcher.start()
        collected.running = None
        for line in _lines(child):
            collected.add(line)
        code = child.wait()
        watcher.join()
        if code == 0 or stopped():
            return None
        errors.seek(0)
        return subprocess.CompletedProcess(child.args, code, stderr=errors.read())


def _without(job: Job, end: subprocess.CompletedProcess[bytes], collected: _Collected) -> Job:
    """The job for the next child: without finished actions, and without the one that ended the last child."""
    last_words = (end.stderr or b"").decode(errors="replace").strip().splitlines()[-3:]
    if collected.running is None:
        raise MaintenanceFailed(
            f"maintenance's child ended by {_how(end.returncode)} between two actions; the memory cap is "
            f"{job.cap_bytes // MEBIBYTE} MiB (maintenance.memory_mb): {' '.join(last_words)}"
        )
    action = collected.running.action
    done = [outcome.action.name for outcome in collected.outcomes]
    cap = f"the memory cap is {job.cap_bytes // MEBIBYTE} MiB (maintenance.memory_mb)"
    if action.work in (Work.CLUSTER, Work.SUPERSEDE):
        collected.problems.append(f"{action.name}: too large to be rewritten, {cap}; it is compacted only")
        return msgspec.structs.replace(job, plain=(*job.plain, action.name), skip=tuple(done))
    collected.problems.append(f"{action.name}: ended by {_how(end.returncode)}, {cap}: {' '.join(last_words)}")
    skip = (*job.skip, action.name, *done)
    return msgspec.structs.replace(job, skip=skip)


def _lines(child: subprocess.Popen[bytes]) -> Iterator[Line]:
    assert child.stdout is not None
    with child.stdout as stdout:
        for raw in stdout:
            try:
                yield msgspec.json.decode(raw, type=Line)
            except msgspec.DecodeError as error:
                raise MaintenanceFailed(f"the child said {raw[:200]!r}, which is no report: {error}") from error


def _watch(child: subprocess.Popen[bytes], cap_bytes: int, stopped: Stopped) -> None:
    """End the child when it is told to stop, or when it holds more memory than it may."""
    while child.poll() is None:
        if stopped():
            child.terminate()
        elif _resident(child.pid) > cap_bytes * (1 - HEADROOM):
            child.kill()
        time.sleep(WATCH_SECONDS)


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:  # the child has ended, or its memory cannot be read
        return 0


def _how(code: int) -> str:
    if code == NO_MEMORY:
        return "a lack of memory"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
