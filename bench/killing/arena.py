"""The system under test: one home with its log, disk, sender, workers and watcher; faults are injected into it."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.killing.disk import Disk, small_disk
from bench.killing.fleet import USUAL, Breed, Fleet
from bench.killing.sender import Ledger, read_ledger, send
from bench.killing.watcher import Watcher
from feedback.errors import ServiceError
from feedback.log.open import open_log
from feedback.log.port import FeedbackLog
from feedback.settings.home import Settings, load_settings
from tests.support.kafka_server import Broker
from tests.support.processes import Child, shared_number

WORKERS = 3
EVENTS_PER_SECOND = 200.0
SETTLE_SECONDS = 180.0
STUCK_SECONDS = 90.0
MOST_GIVEN_UP = 20
DAY_SECONDS = 86_400.0
CLOCK_DAYS = (-20.0, 0.0)
"""Between which days the clock jumps; inside the window in which repeats are known."""
FAR_SHARE = 0.3
FAR_DAYS = (-3650.0, -400.0, 200.0)
"""Where it jumps sometimes, far outside of it."""
FIRM_OFFSET = 10
"""Landed records of a partition after which its clock is firm."""


class Arena:
    """The system that faults are injected into."""

    def __init__(
        self, settings: Settings, folder: Path, *, disk: Disk, broker: Broker | None, seed: int, breed: Breed = USUAL
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.disk = disk
        self.broker = broker
        self.rng = random.Random(seed)
        self.shift = shared_number(self.rng.uniform(*CLOCK_DAYS) * DAY_SECONDS)
        self.happened: Counter[str] = Counter()
        output = folder / "workers.out"
        self.fleet = Fleet(settings, size=WORKERS, rng=self.rng, shift=self.shift, output=output, breed=breed)
        self.maintenance: Child | None = None
        self.ledger_path = folder / "ledger"
        self._free_at = float("inf")
        self._moved_at = time.monotonic()
        self._positions: dict[int, int] = {}
        self._sender = self._start_sender()

    @property
    def topic(self) -> str:
        """The topic of the log, on Kafka."""
        return self.settings.log.url.rpartition("/")[2]

    def tick(self, watcher: Watcher) -> None:
        """Bring back what is down: dead workers, a sleeping one, room on the disk; and see that landing goes on."""
        now = time.monotonic()
        self.fleet.replace(doomed=True)
        if now >= self._free_at:
            self.free_disk()
        if watcher.error is not None:
            raise watcher.error
        if not self._sender.alive:
            raise ServiceError(f"the sender ended by itself with exit code {self._sender.exit_code}: {self._said()}")
        if len(self.fleet.gave_up) > MOST_GIVEN_UP:
            raise ServiceError(f"workers ended by themselves: {self.fleet.gave_up[:5]}; they said: {self.fleet.output}")
        if self._positions != watcher.positions():
            self._positions, self._moved_at = dict(watcher.positions()), now
        if now - self._moved_at > STUCK_SECONDS:
            raise ServiceError(f"nothing has landed for {STUCK_SECONDS:.0f} s; the workers said: {self.fleet.output}")

    def kill_sender(self) -> None:
        """Kill the sender at a random moment, and start another, which continues from the ledger."""
        self._sender.kill()
        self.happened["sender killed"] += 1

    def restart_sender(self) -> None:
        """Another sender in the place of a killed one."""
        self._sender = self._start_sender()

    def fill_disk(self, seconds: float) -> None:
        """No room under the lake for some time."""
        self.disk.fill(worker for worker in self.fleet.workers)
        self._free_at = time.monotonic() + seconds

    def free_disk(self) -> None:
        """Room again."""
        self.disk.free(worker for worker in self.fleet.workers)
        self._free_at = float("inf")

    def jump_clock(self) -> None:
        """Another day for the sender, the log's timestamps and the workers."""
        self.shift.value = self._some_day()

    def settle(self) -> tuple[FeedbackLog, Ledger]:
        """Stop everything that goes wrong, let what was sent land, and end all processes."""
        self.free_disk()
        if self.maintenance is not None:
            self.maintenance.end(timeout=STUCK_SECONDS)
        if self._sender.end(timeout=SETTLE_SECONDS) != 0:
            raise ServiceError(f"the sender did not end well: {self._said()}")
        self.fleet.end()
        self.fleet.replace(doomed=False)
        log = open_log(self.settings.log)
        self._await_landing(log)
        self.fleet.end()
        return log, read_ledger(self.ledger_path)

    def close(self) -> None:
        """Kill what is left."""
        for child in (*self.fleet.workers, self._sender, *filter(None, [self.maintenance])):
            child.signal(signal.SIGKILL)

    def _await_landing(self, log: FeedbackLog) -> None:
        from lakehouse.lake import open_lake

        lake = open_lake(self.settings)
        ends = {partition: end for partition, (_, end) in log.bounds().items()}
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(lake.positions(log.name, log.partitions)[p] < end for p, end in ends.items()):
            if time.monotonic() > deadline:
                raise ServiceError(f"the log was not landed in {SETTLE_SECONDS:.0f} s: {self.fleet.output}")
            self.fleet.replace(doomed=False)
            time.sleep(0.1)

    def _start_sender(self) -> Child:
        seed = self.rng.randrange(1 << 30)
        arguments = (self.settings, str(self.ledger_path), EVENTS_PER_SECOND, seed, self.shift)
        return Child("sender", send, *arguments, output=self.folder / "sender.out")

    def _said(self) -> str:
        path = self.folder / "sender.out"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    def _some_day(self) -> float:
        """A day; one that is far off only where each partition's clock is firm.

        What a partition begins with is its clock: a log that begins 400 days off refuses what comes after a jump back.
        """
        far, near = self.rng.choice(FAR_DAYS), self.rng.uniform(*CLOCK_DAYS)
        is_firm = (
            min((self._positions.get(p, 0) for p in range(self.settings.log.partitions)), default=0) >= FIRM_OFFSET
        )
        return (far if is_firm and self.rng.random() < FAR_SHARE else near) * DAY_SECONDS


def home_settings(folder: Path, *, log_url: str, lease_seconds: float) -> Settings:
    """A home where commits and pipelines follow one another quickly, so that a kill meets all of their moments."""
    return load_settings(
        folder / "home",
        log_url=log_url,
        log_lease_seconds=lease_seconds,
        landing_flush_seconds=0.05,
        landing_bundle_seconds=0.5,
        landing_roll_minutes=0.1,
    )


@contextmanager
def arena(
    settings: Settings, folder: Path, *, broker: Broker | None, seed: int, breed: Breed = USUAL
) -> Iterator[Arena]:
    """An arena whose processes are gone afterwards; `breed` says which workers it has."""
    with small_disk(Path(settings.lake.uri)) as disk:
        found = Arena(settings, folder, disk=disk, broker=broker, seed=seed, breed=breed)
        try:
            yield found
        finally:
            found.close()
