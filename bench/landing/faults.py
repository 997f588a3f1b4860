"""The kill bench: landing workers compete for partitions while faults are injected: kills, full disks, wrong clocks.

A sender sends at a steady rate; 1 % of its records are malformed, and 1 % of the events have an impossible log time. A
watcher reads the tables during the run. At the end accepted events are compared id by id with the rows that landed,
were quarantined or were duplicates, and every line of the log with its rows. Runs on the SQLite log and on Kafka.
"""

from __future__ import annotations

import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from bench.figures import Figure, at_least, exactly, reported
from bench.killing.arena import Arena, arena, home_settings
from bench.killing.comparison import Comparison, compare
from bench.killing.faults import FAULTS, newest_version
from bench.killing.fleet import USUAL, Breed
from bench.killing.odd import make_topic
from bench.killing.watcher import Watcher
from feedback.settings.home import Settings, load_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.spec import TableSpec
from tests.support.kafka_server import Broker, broker

SQLITE_LEASE_SECONDS = 1.0
KAFKA_LEASE_SECONDS = 2.0
BROKER_PROPERTIES = "group.min.session.timeout.ms=1000"
LONGEST_REST_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 0.2

LOGS = ("sqlite", "kafka")
OPTIONS = (
    click.Option(["--kills"], type=click.IntRange(min=1), default=200, show_default=True, help="Workers to kill."),
    click.Option(["--seed"], type=int, help="Draws the faults; the run prints its own.  [default: another each time]"),
    click.Option(["--log"], type=click.Choice(LOGS), multiple=True, help="Only this log.  [default: both]"),
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found."""

    seed: int
    seconds: float
    kills: dict[str, int]
    injected: dict[str, int]
    slept: dict[str, int]
    gave_up: list[str]
    looks: int
    violations: list[str]
    comparison: Comparison
    commits: int
    quarantine_commits: int


def run(
    report: Callable[[str], None], *, kills: int = 200, seed: int | None = None, log: tuple[str, ...] = ()
) -> Iterator[Figure]:
    """Every figure, for each log."""
    seed = secrets.randbelow(1 << 30) if seed is None else seed
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the broker ends and the small disk is unmounted
    for kind in log or LOGS:
        yield reported(f"{kind}: seed", seed)
        with tempfile.TemporaryDirectory(prefix="heed-faults-") as folder:
            outcome = kill(kind, Path(folder), kills=kills, seed=seed, report=report)
        yield from figures(kind, outcome, kills=kills)


def no_report(done: str) -> None:
    """The callback of callers that show no progress."""


def kill(
    kind: str,
    folder: Path,
    *,
    kills: int,
    seed: int,
    report: Callable[[str], None] = no_report,
    node: Broker | None = None,
    breed: Breed = USUAL,
) -> Outcome:
    """One run on one log.

    Args:
        kind: `sqlite` or `kafka`.
        folder: Where home, ledger and outputs go.
        kills: How many workers to kill at least.
        seed: Draws the faults.
        report: Hears how far it is.
        node: A broker to use; one of its own by default.
        breed: Which workers to kill.
    """
    with ExitStack() as stack:
        if kind == "kafka" and node is None:
            node = stack.enter_context(broker(folder / "kafka", properties=BROKER_PROPERTIES))
        settings = settings_for(kind, folder, node)
        found = stack.enter_context(arena(settings, folder, broker=node, seed=seed, breed=breed))
        watcher = stack.enter_context(Watcher(settings, partitions=settings.log.partitions))
        started = time.monotonic()
        while found.fleet.killed < kills:
            report(f"{kind}, seed {seed}: {found.fleet.killed} of {kills} killed")
            step(found, watcher)
        return _outcome(settings, found, watcher, seed=seed, started=started)


def _outcome(settings: Settings, found: Arena, watcher: Watcher, *, seed: int, started: float) -> Outcome:
    """End the run and compare what was sent with what landed."""
    log, ledger = found.settle()
    watcher.look()
    outcome = Outcome(
        seed=seed,
        seconds=time.monotonic() - started,
        kills=dict(found.fleet.kills),
        injected=dict(found.happened),
        slept=dict(found.fleet.slept),
        gave_up=found.fleet.gave_up,
        looks=watcher.looks,
        violations=watcher.violations,
        comparison=compare(settings, log, ledger),
        commits=landing_commits(settings, FEEDBACK),
        quarantine_commits=landing_commits(settings, QUARANTINE),
    )
    log.close()
    return outcome


def step(found: Arena, watcher: Watcher) -> None:
    """Inject one fault, restore what is down, and wait until landing has committed or for a few seconds."""
    weights = [fault.weight for fault in FAULTS]
    (fault,) = found.rng.choices(FAULTS, weights)
    lake = open_lake(found.settings)
    before = newest_version(lake)
    if fault.happen(found):
        found.happened[fault.name] += 1
    rested_at = time.monotonic() + LONGEST_REST_SECONDS
    while newest_version(lake) == before and time.monotonic() < rested_at:
        time.sleep(0.01)
        found.tick(watcher)
    time.sleep(found.rng.random() * LONGEST_PAUSE_SECONDS)
    found.tick(watcher)


def settings_for(kind: str, folder: Path, node: Broker | None) -> Settings:
    """The home of a run."""
    if node is None or kind == "sqlite":
        return home_settings(folder, log_url="", lease_seconds=SQLITE_LEASE_SECONDS)
    topic = f"faults-{secrets.token_hex(4)}"
    make_topic(node.address, topic, partitions=load_settings(folder).log.partitions)
    return home_settings(folder, log_url=f"kafka://{node.address}/{topic}", lease_seconds=KAFKA_LEASE_SECONDS)


def landing_commits(settings: Settings, spec: TableSpec) -> int:
    """How many commits of a table brought rows or positions of landing."""
    lake = open_lake(settings)
    if not lake.exists(spec):
        return 0
    return sum(entry.get("operation") == "WRITE" for entry in lake.table(spec).history())


def figures(kind: str, outcome: Outcome, *, kills: int) -> Iterator[Figure]:
    """What is claimed, with its bars; then what happened."""
    found = outcome.comparison
    yield at_least(f"{kind}: workers killed", sum(outcome.kills.values()), kills)
    yield exactly(f"{kind}: lost", found.lost)
    yield exactly(f"{kind}: doubled", found.doubled)
    yield exactly(f"{kind}: rows without a line of the log", found.invented)
    yield exactly(f"{kind}: poison not accounted for", found.poison_unaccounted)
    yield exactly(f"{kind}: rows under another day than the log's", found.wrong_day)
    yield exactly(f"{kind}: what a reader should not have seen", len(outcome.violations))
    yield exactly(f"{kind}: records not landed", found.waiting)
    yield exactly(f"{kind}: partitions behind in the online store", found.online_behind)
    yield exactly(f"{kind}: workers that gave up", len(outcome.gave_up))
    share = outcome.quarantine_commits / max(1, outcome.commits)
    yield Figure(
        figure=f"{kind}: extra commits per flush for quarantine", value=share, unit="", bar="<= 1", holds=share <= 1
    )
    yield reported(f"{kind}: length of the run", outcome.seconds, unit="s")
    counts = {
        "accepted": found.accepted, "landed": found.landed, "duplicates": found.duplicates, "poison": found.poison,
        "records at an odd time": found.odd_times,
        "commits of feedback": outcome.commits, "versions seen by the reader": outcome.looks,
    }  # fmt: skip
    for name, count in counts.items():
        yield reported(f"{kind}: {name}", count)
    for name, count in sorted(outcome.kills.items()):
        yield reported(f"{kind}: killed at {name}", count)
    for name, count in sorted(outcome.slept.items()):
        yield reported(f"{kind}: stopped at {name} and woken", count)
    for name, count in sorted(outcome.injected.items()):
        yield reported(f"{kind}: {name}", count)
