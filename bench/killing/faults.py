"""The injected faults. A new one is a function and a line in `FAULTS`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deltalake.exceptions import DeltaError

from bench.killing.arena import Arena
from bench.killing.torn_tails import cut_wal_tail, tear_segments
from bench.killing.worker import compact_and_checkpoint
from lakehouse.lake import Lake, open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.support.processes import Child

ORPHAN_SECONDS = 8.0
"""A file that no commit names after so long belongs to a writer that is dead or was refused."""

CHECKPOINT_EVERY = 10
CHECKPOINT_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A kind of fault: its weight in the draw, and its function.

    `happen` returns whether there was anything to do.
    """

    name: str
    weight: int
    happen: Callable[[Arena], bool]


def kill_at_random(arena: Arena) -> bool:
    """A worker is killed at a random moment."""
    arena.fleet.kill_one()
    return True


def pause_a_worker(arena: Arena) -> bool:
    """A worker is stopped until its partitions were reassigned, then continued."""
    arena.fleet.pause_one()
    return True


def kill_at_checkpoint(arena: Arena) -> bool:
    """All workers are killed while one of them writes a checkpoint."""
    lake = open_lake(arena.settings)
    if not lake.exists(FEEDBACK):
        return False
    target = (newest_version(lake) // CHECKPOINT_EVERY + 1) * CHECKPOINT_EVERY
    deadline = time.monotonic() + CHECKPOINT_WAIT_SECONDS
    while newest_version(lake) < target:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    time.sleep(arena.rng.random() * 0.02)
    arena.fleet.kill_all("checkpoint")
    return True


def compact(arena: Arena) -> bool:
    """Maintenance rewrites small files, beside everything else."""
    if arena.maintenance is not None and arena.maintenance.alive:
        return False
    arena.maintenance = Child(
        "maintenance", compact_and_checkpoint, arena.settings, output=arena.folder / "maintenance.out"
    )
    return True


def kill_compaction(arena: Arena) -> bool:
    """Maintenance is killed during a compaction or a checkpoint."""
    compact(arena)
    assert arena.maintenance is not None
    time.sleep(arena.rng.random() * 0.5)
    was_at_work = arena.maintenance.alive
    arena.maintenance.kill()
    return was_at_work


def change_a_property(arena: Arena) -> bool:
    """Somebody changes a property of both tables, so that every stale commit is refused."""
    lake = open_lake(arena.settings)
    values = {
        "delta.checkpointInterval": str(CHECKPOINT_EVERY),
        "delta.logRetentionDuration": f"interval {arena.rng.randint(8, 30)} days",
    }
    for spec in (FEEDBACK, QUARANTINE):
        if lake.exists(spec):
            try:
                lake.table(spec).alter.set_table_properties(values)
            except (DeltaError, OSError):  # a full disk, or a writer that was quicker
                return False
    return True


def fill_the_disk(arena: Arena) -> bool:
    """No room for data files, commits and checkpoints for a while."""
    arena.fill_disk(arena.rng.uniform(0.5, 1.5))
    return True


def truncate_an_orphan(arena: Arena) -> bool:
    """A data file that no commit ever named loses its end."""
    for path in orphans(open_lake(arena.settings), older_than=ORPHAN_SECONDS):
        os.truncate(path, path.stat().st_size // 2)
        return True
    return False


def kill_sender(arena: Arena) -> bool:
    """The sender dies; on SQLite, what follows the last commit in the write-ahead log is cut and garbled."""
    arena.kill_sender()
    if arena.broker is None:
        path = Path(arena.settings.log.url.removeprefix("sqlite:///"))
        arena.happened["bytes cut from the log's tail"] += cut_wal_tail(path, arena.rng)
    arena.restart_sender()
    return True


def jump_the_clock(arena: Arena) -> bool:
    """All clocks jump by days, forwards or back."""
    arena.jump_clock()
    return True


def restart_broker(arena: Arena) -> bool:
    """The broker ends in order and starts again."""
    if arena.broker is None:
        return False
    arena.broker.restart()
    return True


def kill_broker(arena: Arena) -> bool:
    """The broker is killed, its last segments get a torn end, and it starts again."""
    if arena.broker is None:
        return False
    arena.broker.kill()
    arena.happened["segments torn"] += tear_segments(arena.broker.data, arena.topic, arena.rng)
    arena.broker.start()
    return True


FAULTS = (
    InjectedFault("worker killed at random", 16, kill_at_random),
    InjectedFault("worker paused", 8, pause_a_worker),
    InjectedFault("workers killed at a checkpoint", 5, kill_at_checkpoint),
    InjectedFault("compaction", 8, compact),
    InjectedFault("compaction killed", 5, kill_compaction),
    InjectedFault("property changed", 5, change_a_property),
    InjectedFault("disk filled", 3, fill_the_disk),
    InjectedFault("orphan truncated", 3, truncate_an_orphan),
    InjectedFault("sender killed", 4, kill_sender),
    InjectedFault("clock jumped", 5, jump_the_clock),
    InjectedFault("broker restarted", 2, restart_broker),
    InjectedFault("broker killed", 2, kill_broker),
)
"""Workers are also killed or stopped at the named points of a commit (`bench.killing.fleet.DOOMS`)."""


def newest_version(lake: Lake) -> int:
    """The newest commit of `feedback`, by its file: cheap enough to ask all the time."""
    log = Path(lake.uri(FEEDBACK)) / "_delta_log"
    return max((int(path.stem) for path in log.glob("*.json") if path.stem.isdigit()), default=-1)


def orphans(lake: Lake, *, older_than: float) -> list[Path]:
    """Data files of both tables that are so many seconds old, and that no commit has ever named."""
    found: list[Path] = []
    for spec in (FEEDBACK, QUARANTINE):
        folder = Path(lake.uri(spec))
        named = set(_named(folder))
        before = time.time() - older_than
        found += [
            path for path in folder.glob("*/*.parquet")
            if path.parent.name != "_delta_log" and path.name not in named and path.stat().st_mtime < before
        ]  # fmt: skip
    return found


def _named(folder: Path) -> list[str]:
    actions = (
        json.loads(line)
        for log in (folder / "_delta_log").glob("*.json")
        for line in log.read_text(encoding="utf-8").splitlines()
        if '"path"' in line
    )
    return [Path(action[word]["path"]).name for action in actions for word in ("add", "remove") if word in action]
