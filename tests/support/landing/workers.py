"""Landing workers as real processes, and what must hold when they have ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.killing.worker import land
from feedback.intake import Intake, open_intake, utc_now
from feedback.log.port import NewRecord
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from online.open import open_online_store
from tests.support.processes import Child

PATIENCE_SECONDS = 120.0


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"it never came to hold: {what}"
        time.sleep(0.02)


class Workers:
    """Workers of one home, and the events that are sent to it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.lake = open_lake(settings)
        self.intake: Intake = open_intake(settings)
        self.accepted: list[str] = []
        self._folder = folder
        self._all: list[Child] = []

    def start(self, fault: str = "") -> Child:
        output = self._folder / f"worker-{len(self._all)}.out"
        worker = Child("worker", land, self.settings, fault, None, output=output)
        self._all.append(worker)
        return worker

    def send(self, count: int) -> None:
        """Events in small calls, so that they make many records."""
        for start in range(len(self.accepted), len(self.accepted) + count, 5):
            ids = [f"e{number}" for number in range(start, start + 5)]
            events = ({"kind": "click", "id": i, "user_id": i[-2:], "item_id": "x"} for i in ids)
            assert {verdict.verdict for verdict in self.intake.submit(events)} == {"accepted"}
            self.accepted += ids

    def version(self) -> int:
        return self.lake.version(FEEDBACK) or 0

    def all_landed(self) -> bool:
        log = self.intake.log
        positions = self.lake.positions(log.name, log.partitions)
        return all(positions[p] == end for p, (_, end) in log.bounds().items())

    def await_landed(self) -> None:
        eventually(self.all_landed, "everything sent has landed")

    def await_commits(self, count: int) -> None:
        """Until landing has got on by so many commits."""
        goal = self.version() + count
        eventually(lambda: self.version() >= goal, f"{count} commits more")

    def keep_sending(self, worker_started: Callable[[], object]) -> None:
        """Send until the next worker has come and gone through some commits."""
        worker_started()
        goal = self.version() + 3

        def got_on() -> bool:
            self.send(10)
            return self.version() >= goal

        eventually(got_on, "3 commits more while events are sent")

    def end(self) -> None:
        for worker in self._all:
            assert worker.end(timeout=60) in (0, -signal.SIGTERM, -signal.SIGKILL)

    def check(self) -> None:
        """Land the rest, end all, and hold the tables against what was accepted."""
        self.await_landed()
        self.end()
        log = self.intake.log
        report = audit(self.lake, log.name, bounds=log.bounds())
        assert report.holds, report.faults
        landed = self.lake.scan(FEEDBACK).select("id").collect()["id"].to_list()
        assert sorted(landed) == sorted(self.accepted)
        assert self.pushed() == self.committed()

    def committed(self) -> dict[int, int]:
        """Where each partition stands in the lake, if anything of it has landed."""
        log = self.intake.log
        return {p: at for p, at in self.lake.positions(log.name, log.partitions).items() if at}

    def pushed(self) -> dict[int, int]:
        """Where it stands in the online store."""
        store = open_online_store(self.settings.online)
        try:
            return {p: at for p, at in store.positions().items() if at}
        finally:
            store.close()

    def send_poison(self) -> None:
        """One broken record in each partition."""
        partitions = range(self.intake.log.partitions)
        self.intake.log.append([NewRecord(p, b"poison", 1) for p in partitions], now=utc_now())

    def kill(self) -> None:
        for worker in self._all:
            worker.signal(signal.SIGKILL)


@contextmanager
def working(settings: Settings, folder: Path) -> Iterator[Workers]:
    workers = Workers(settings, folder)
    try:
        yield workers
    finally:
        workers.kill()
        workers.intake.log.close()
