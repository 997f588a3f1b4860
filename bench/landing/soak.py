"""The soak: memory of landing over half an hour of 1,000 events a second, 1 % of them malformed.

`heed land --stream` runs as its own process on a fresh home, with `heed maintain` beside it as under `heed up`, and
only landing is measured: its resident memory after 5 minutes and at the end, each the median of half a minute, since
one sample may fall into a commit. `--minutes 12` makes a short run, whose first mark lies at a quarter.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]

from beam_jobs.landing import waiting_events
from bench.figures import Figure, at_least, below
from feedback.errors import ServiceError
from feedback.intake import Intake, open_intake, utc_now
from feedback.log.port import NewRecord
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE

MINUTES = 30.0
FIRST_MARK_MINUTES = 5.0
"""When caches and pools have filled; a quarter of a run that is shorter than 20 minutes."""
EVENTS_PER_SECOND = 1_000
BROKEN_OF_THOUSAND = 10
TICK_SECONDS = 0.05
SAMPLE_SECONDS = 1.0
WINDOW_SECONDS = 30.0
GROWTH_BAR = 1.10
START_SECONDS = 60.0
STOP_SECONDS = 60.0
MIB = 1024 * 1024


OPTIONS = (
    click.Option(
        ["--minutes"],
        type=click.FloatRange(min=0, min_open=True, max=1_440),
        default=MINUTES,
        show_default=True,
        help="How long to send.",
    ),
)


@dataclass
class Soak:
    """What was seen: memory over time, and what was sent."""

    began: float = field(default_factory=time.monotonic)
    memory: list[tuple[float, int]] = field(default_factory=list)
    sent: int = 0
    broken: int = 0

    def memory_at(self, second: float) -> float:
        """Resident MiB at a time: the median of the window that ends there."""
        within = [size for at, size in self.memory if second - WINDOW_SECONDS <= at <= second]
        return statistics.median(within or [size for _, size in self.memory[-1:]]) / MIB


def run(report: Callable[[str], None], *, minutes: float = MINUTES) -> Iterator[Figure]:
    """Memory early and late, and whether everything landed once."""
    with tempfile.TemporaryDirectory(prefix="heed-soak-") as folder:
        settings = load_settings(Path(folder) / "home")
        intake = open_intake(settings)
        every = f"{settings.maintenance.every_seconds:g}"
        with running(settings, "land", "--stream") as process, running(settings, "maintain", "--every", every):
            await_first(settings, intake, process)
            soak = soak_for(minutes * 60, intake, process, report)
            await_landed(settings)
        yield from figures(settings, intake, soak, minutes)


@contextmanager
def running(settings: Settings, *command: str) -> Iterator[psutil.Process]:
    """A command of Heed's on a home, stopped in order at the end.

    Raises:
        ServiceError: It did not stop in order.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "cli", *command, "--home", settings.home], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(child.pid)
        child.send_signal(signal.SIGTERM)
        if child.wait(STOP_SECONDS) != 0:
            raise ServiceError(f"`heed {' '.join(command)}` ended with {child.returncode}")
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def await_first(settings: Settings, intake: Intake, process: psutil.Process) -> None:
    """Start-up is no part of the soak: wait until the first event has landed."""
    intake.submit([visit(0)])
    deadline = time.monotonic() + START_SECONDS
    lake = open_lake(settings)
    while not lake.row_count(FEEDBACK):
        if time.monotonic() > deadline or not process.is_running():
            raise ServiceError(f"landing did not land its first event within {START_SECONDS:g} s")
        time.sleep(0.1)


def await_landed(settings: Settings) -> None:
    """Wait until landing has caught up with what was sent."""
    deadline = time.monotonic() + STOP_SECONDS
    while waiting_events(settings):
        if time.monotonic() > deadline:
            raise ServiceError(f"landing had not caught up {STOP_SECONDS:g} s after the last event")
        time.sleep(0.1)


def soak_for(seconds: float, intake: Intake, process: psutil.Process, report: Callable[[str], None]) -> Soak:
    """Send at the steady rate, a tick at a time, and sample the memory beside it."""
    soak = Soak(sent=1)
    sampled = -SAMPLE_SECONDS
    while (now := time.monotonic() - soak.began) < seconds:
        due = int(now * EVENTS_PER_SECOND) + 1
        send(intake, soak, due)
        if now - sampled >= SAMPLE_SECONDS:
            soak.memory.append((now, process.memory_info().rss))
            sampled = now
            report(f"minute {now / 60:.1f}, {soak.sent:,} events, {soak.memory[-1][1] / MIB:,.0f} MiB")
        time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - soak.began - now)))
    return soak


def send(intake: Intake, soak: Soak, due: int) -> None:
    """Append what is due; every hundredth is no JSON, as a broken producer of one's own would write it."""
    numbers = range(soak.sent, due)
    broken = sum(is_broken(n) for n in numbers)
    intake.submit(visit(n) for n in numbers if not is_broken(n))
    if broken:
        intake.log.append([NewRecord(due % intake.log.partitions, b"{broken", 1)] * broken, now=utc_now())
    soak.sent += len(numbers)
    soak.broken += broken


def is_broken(number: int) -> bool:
    """Which events are broken: 1 %, spread evenly."""
    return number % 1000 % (1000 // BROKEN_OF_THOUSAND) == 1


def visit(number: int) -> dict[str, object]:
    """One event of one of a thousand people."""
    return {"kind": "click", "id": f"e{number}", "user_id": str(number % 1_000), "item_id": str(number % 500)}


def figures(settings: Settings, intake: Intake, soak: Soak, minutes: float) -> Iterator[Figure]:
    """The bar, and the figures beside it that say what was measured."""
    first, last = 60 * min(FIRST_MARK_MINUTES, minutes / 4), 60 * minutes
    early, late = soak.memory_at(first), soak.memory_at(last)
    for second, size in ((first, early), (last, late)):
        yield Figure(
            figure=f"landing's memory after {second / 60:g} minutes", value=size, unit="MiB", bar="reported", holds=True
        )
    yield below("memory at the end as a share of memory at the first mark", late / early, GROWTH_BAR)
    yield at_least("events sent a second", soak.sent / last, 0.95 * EVENTS_PER_SECOND, unit="events/s")
    lake = open_lake(settings)
    landed, refused = lake.row_count(FEEDBACK), lake.row_count(QUARANTINE)
    lost = soak.sent - landed - refused
    yield Figure(figure="events lost or doubled", value=lost, unit="", bar="0", holds=lost == 0)
    report = audit(lake, intake.log.name, bounds=intake.log.bounds())
    yield Figure(figure="faults that the audit finds", value=len(report.faults), unit="", bar="0", holds=report.holds)
