"""Maintenance's child process: works a job through under a memory cap, one JSON line per action.

It is a separate process because delta-rs has no memory limit when it sorts a day or reads a large log. The
parent (`lakehouse.maintenance.run`) ends it when what is resident grows past the cap, knows which action it was, and
lets another child go on with the rest. A limit of the kernel would not do: RLIMIT_DATA and RLIMIT_AS count what is
reserved, and the 512 threads with which delta-rs reads a long log reserve over 5 GiB while 230 MB are resident.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from deltalake.exceptions import DeltaError

from feedback.errors import HeedError
from lakehouse.lake import Lake
from lakehouse.maintenance.plan import Action, PartitionFiles, Retention, plainly, plan
from lakehouse.maintenance.table import Outcome, perform, read_statistics
from lakehouse.store_errors import plain
from lakehouse.tables.registry import TABLES

NICENESS = 10
"""Niceness: landing and serving have priority."""
NO_MEMORY = 75
"""Exit code: an action was refused memory, as if the parent had ended it."""
_MEMORY_WORDS = ("memory", "Resources exhausted")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent asks for."""

    root: str
    options: dict[str, str]
    lock_folder: str
    retention: Retention
    cap_bytes: int
    vacuum: bool
    tables: tuple[str, ...]
    plain: tuple[str, ...] = ()
    """Days, as names of actions, that were too large to be rewritten."""
    skip: tuple[str, ...] = ()
    """Actions that ended a child before, or are done."""


class MeasuredTable(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """A table's files, before and after."""

    table: str
    files: int
    bytes: int
    after: bool


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """An action begins; if no other line follows, it killed the child."""

    action: Action


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """An action ended, well or not."""

    outcome: Outcome


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag="unreadable"):
    """A table's state could not be read; what was left to do there waits for the next pass."""

    table: str
    problem: str


Line = MeasuredTable | Started | Ended | Unreadable


def main() -> None:
    """Read a job from standard input, do it, report on standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lake = Lake(job.root, job.options, lock_folder=Path(job.lock_folder))
    for name in job.tables:
        try:
            if lake.exists(TABLES[name]):
                work_table(lake, name, job)
        except (HeedError, DeltaError, OSError) as error:  # go on with the other tables
            _say(Unreadable(table=name, problem=f"{type(error).__name__}: {plain(error)}"))


def work_table(lake: Lake, name: str, job: Job) -> None:
    """Everything that one table needs; what goes wrong with an action is reported, and the next one is tried."""
    spec = TABLES[name]
    statistics = read_statistics(lake, spec)
    _say_state(name, statistics.partitions, after=False)
    marking = True
    for planned in plan(spec, statistics, job.retention, now=_now(), vacuum=job.vacuum):
        action = plainly(planned) if planned.name in job.plain else planned
        if action.name in job.skip:  # an action that marks the day is planned only if it was not done
            marking = marking and not action.marks
        if action.name in job.skip or (action.marks and not marking):
            continue
        _say(Started(action=action))
        started = time.monotonic()
        try:
            outcome = perform(lake, spec, action, job.retention, now=_now(), cap=job.cap_bytes)
        except (HeedError, DeltaError, OSError, MemoryError) as error:
            if isinstance(error, MemoryError) or any(word in str(error) for word in _MEMORY_WORDS):
                raise SystemExit(NO_MEMORY) from error
            outcome = Outcome(action=action, done=False, problem=f"{type(error).__name__}: {plain(error)}")
            marking = marking and not action.marks  # days are marked in order
        _say(Ended(outcome=msgspec.structs.replace(outcome, seconds=time.monotonic() - started, peak_bytes=peak())))
    _say_state(name, read_statistics(lake, spec).partitions, after=True)


def peak() -> int:
    """The most memory that this process has had resident, in bytes.

    The kernel's mark, where it has one: `ru_maxrss` of a new program starts with what its parent had before the exec.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say_state(table: str, partitions: tuple[PartitionFiles, ...], *, after: bool) -> None:
    files, size = sum(len(part.sizes) for part in partitions), sum(part.bytes for part in partitions)
    _say(MeasuredTable(table=table, files=files, bytes=size, after=after))


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
