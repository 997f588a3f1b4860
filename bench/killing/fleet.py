"""The fleet: landing workers that race for the partitions, are killed, and are replaced as soon as they are gone."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from bench.killing.processes import Child
from bench.killing.worker import land
from feedback.settings import Settings

POINTS = ("before commit", "after data file", "between tables", "after commit")
"""Where in a commit a worker may be told to die: "after commit" of `feedback` is before the online store knows."""

MOST_PASSES = 6
DOOMED_SHARE = 0.6
END_SECONDS = 30.0


class Fleet:
    """So many workers on one home."""

    def __init__(
        self, settings: Settings, *, size: int, rng: random.Random, shift: Synchronized[float], output: Path
    ) -> None:
        self._settings = settings
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
        """Workers that ended by themselves: landing must outlive whatever it meets."""

    @property
    def killed(self) -> int:
        """How many were killed in all."""
        return self.kills.total()

    @property
    def output(self) -> str:
        """The end of what the workers said."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-3000:] if self._output.exists() else ""

    def replace(self, *, doomed: bool) -> None:
        """Count the dead, wake who has slept enough, and start new workers in their place."""
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.alive:
                if now >= self._wake_at.get(worker.pid, float("inf")):
                    self._wake(worker)
                continue
            self.workers.remove(worker)
            self._count(worker)
        while len(self.workers) < self._size:
            self.start(self._doom() if doomed else "")

    def start(self, fault: str = "") -> Child:
        """One more worker, with a point at which it will die or stop."""
        self._started += 1
        name = fault.partition(":")[0] or "a random moment"
        worker = Child(name, land, self._settings, fault, self._shift, output=self._output)
        self.workers.append(worker)
        return worker

    def kill_one(self) -> None:
        """Kill any worker, wherever it is."""
        if self.workers:
            worker = self._rng.choice(self.workers)
            worker.name = "a random moment"
            worker.signal(signal.SIGKILL)

    def kill_all(self, why: str) -> None:
        """Kill every worker at once."""
        for worker in self.workers:
            if worker.alive:
                worker.name = why
                worker.signal(signal.SIGKILL)

    def pause_one(self, seconds: float) -> None:
        """Stop a worker for some time: longer than its lease, and its partitions move meanwhile."""
        awake = [worker for worker in self.workers if worker.pid not in self._wake_at]
        if awake:
            worker = self._rng.choice(awake)
            self._wake_at[worker.pid] = time.monotonic() + seconds
            worker.signal(signal.SIGSTOP)

    def end(self) -> None:
        """Ask all workers to end, and wait."""
        for worker in self.workers:
            self._wake(worker)
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            if worker.end(timeout=END_SECONDS) is None:
                worker.kill()
                self.gave_up.append(f"{worker.name}: did not end within {END_SECONDS:.0f} s")
            else:
                self._count(worker)
        self.workers.clear()

    def _wake(self, worker: Child) -> None:
        if self._wake_at.pop(worker.pid, None) is not None:
            worker.signal(signal.SIGCONT)

    def _count(self, worker: Child) -> None:
        self._wake_at.pop(worker.pid, None)
        if worker.exit_code == -signal.SIGKILL:
            self.kills[worker.name] += 1
        elif worker.exit_code != 0:
            self.gave_up.append(f"{worker.name}: exit code {worker.exit_code}")

    def _doom(self) -> str:
        if self._rng.random() > DOOMED_SHARE:
            return ""
        return f"{self._rng.choice(POINTS)}:{self._rng.randint(1, MOST_PASSES)}"
