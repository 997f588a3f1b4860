"""The landing workers: they compete for partitions, are killed, and are replaced at once."""

from __future__ import annotations

import ctypes
import logging
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.killing.worker import land
from feedback.settings.home import Settings
from tests.support.processes import Child

LOGGER = logging.getLogger("heed.bench")
POINTS = ("before commit", "after data file", "between tables", "after commit")
"""Where in a commit a worker may be told to die: "after commit" of `feedback` is before the online store knows."""

DOOMS = (*(f"kill {point}" for point in POINTS), "stop before commit", "stop after data file", "stop between tables")
"""Faults that a worker may start with; a stopped one is continued when its partitions were reassigned."""

MOST_PASSES = 4
DOOMED_SHARE = 0.7
ASLEEP_LEASES = (1.2, 2.0)
"""For how many times its lease a worker sleeps."""

END_SECONDS = 30.0
RANDOM = "a random moment"


@dataclass(frozen=True, slots=True)
class Breed:
    """A kind of worker: its function, and the faults that it may start with."""

    body: Callable[..., None] = land
    dooms: Sequence[str] = DOOMS


USUAL = Breed()


class Fleet:
    """So many workers on one home."""

    def __init__(
        self,
        settings: Settings,
        *,
        size: int,
        rng: random.Random,
        shift: ctypes.c_double,
        output: Path,
        breed: Breed = USUAL,
    ) -> None:
        self._settings = settings
        self._breed = breed
        self._size = size
        self._rng = rng
        self._shift = shift
        self._output = output
        self._started = 0
        self._wake_at: dict[int, float] = {}
        self.workers: list[Child] = []
        self.kills: Counter[str] = Counter()
        """How many were killed, by where or why."""
        self.gave_up: list[str] = []
        """Workers that ended by themselves, which landing must never do."""
        self.slept: Counter[str] = Counter()
        """How many were stopped and woken, by where."""

    @property
    def killed(self) -> int:
        """How many were killed in all."""
        return self.kills.total()

    @property
    def output(self) -> str:
        """The end of what the workers said."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-3000:] if self._output.exists() else ""

    def replace(self, *, doomed: bool) -> None:
        """Count dead workers, continue stopped ones that are due, and start replacements."""
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.alive:
                self._look_after(worker, now)
                continue
            self.workers.remove(worker)
            self._count(worker)
        while len(self.workers) < self._size:
            self.start(self._doom() if doomed else "")

    def start(self, fault: str = "") -> Child:
        """One more worker, with a point at which it will die or stop."""
        self._started += 1
        name = fault.partition(":")[0].removeprefix("kill ") or RANDOM
        worker = Child(name, self._breed.body, self._settings, fault, self._shift, output=self._output)
        self.workers.append(worker)
        return worker

    def kill_one(self) -> None:
        """Kill any worker, wherever it is."""
        if self.workers:
            worker = self._rng.choice(self.workers)
            worker.name = RANDOM
            worker.signal(signal.SIGKILL)

    def kill_all(self, why: str) -> None:
        """Kill every worker at once."""
        for worker in self.workers:
            if worker.alive:
                worker.name = why
                worker.signal(signal.SIGKILL)

    def pause_one(self) -> None:
        """Stop any worker, wherever it is."""
        awake = [worker for worker in self.workers if worker.pid not in self._wake_at]
        if awake:
            worker = self._rng.choice(awake)
            worker.name = RANDOM
            worker.signal(signal.SIGSTOP)

    def end(self) -> None:
        """Ask all workers to end, and wait."""
        for worker in self.workers:
            self._wake(worker)
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGCONT)
        for worker in self.workers:
            if worker.end(timeout=END_SECONDS) is None:
                worker.signal(signal.SIGABRT)  # it says where its threads stand
                worker.end(timeout=1.0)
                worker.kill()
                self._give_up(worker, f"did not end within {END_SECONDS:.0f} s")
            else:
                self._count(worker)
        self.workers.clear()

    def _look_after(self, worker: Child, now: float) -> None:
        """A worker that has stopped sleeps longer than its lease, so that its partitions move; then it is woken."""
        wake_at = self._wake_at.get(worker.pid)
        if wake_at is None:
            if worker.stopped:
                self._wake_at[worker.pid] = now + self._settings.log.lease_seconds * self._rng.uniform(*ASLEEP_LEASES)
        elif now >= wake_at:
            self._wake(worker)

    def _wake(self, worker: Child) -> None:
        if self._wake_at.pop(worker.pid, None) is not None:
            worker.signal(signal.SIGCONT)
            self.slept[worker.name.removeprefix("stop ")] += 1

    def _count(self, worker: Child) -> None:
        self._wake_at.pop(worker.pid, None)
        if worker.exit_code == -signal.SIGKILL:
            self.kills[worker.name] += 1
        elif worker.exit_code not in (0, -signal.SIGTERM):  # the latter: asked to end before it could listen
            self._give_up(worker, f"exit code {worker.exit_code}")

    def _give_up(self, worker: Child, reason: str) -> None:
        self.gave_up.append(f"{worker.name}: {reason}")
        LOGGER.warning("worker %d, %s: %s; the workers said last: %s", worker.pid, worker.name, reason, self.output)

    def _doom(self) -> str:
        if not self._breed.dooms or self._rng.random() > DOOMED_SHARE:
            return ""
        return f"{self._rng.choice(self._breed.dooms)}:{self._rng.randint(1, MOST_PASSES)}"
