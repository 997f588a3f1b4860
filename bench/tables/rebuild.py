"""A lost online store, rebuilt from 5 million landed rows: how much memory does it take, and are lists read meanwhile?

The rows are written by landing's own committer. The rebuild runs in a process of its own; beside it, another process
reads the recent events of one person after the other, as serving does.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bench.child_processes import ask_child
from bench.drains.growth import write_history
from bench.figures import Figure, below, exactly, reported
from bench.rebuilding.child import Rebuilt
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from online.open import open_online_store

ROWS = 5_000_000
ABOVE_IDLE_MIB = 512
LONGEST_READ_SECONDS = 0.5
CHILD = "bench.rebuilding.child"

OPTIONS = (
    click.Option(
        ["--rows"], type=click.IntRange(min=4_000), default=ROWS, show_default=True, help="How many rows have landed."
    ),
)


def run(report: Callable[[str], None], *, rows: int = ROWS) -> Iterator[Figure]:
    """Memory and time of the rebuild, and the longest read beside it."""
    with tempfile.TemporaryDirectory(prefix="heed-rebuild-") as folder:
        report(f"writing {rows:,} rows")
        settings = write_history(Path(folder) / "home", rows, events=1_000)
        lose_store(settings)
        people = open_lake(settings).scan(FEEDBACK).select("subject").head(1_000).collect()["subject"].to_list()
        report("rebuilding")
        done = threading.Event()
        reads: list[float] = []
        reading = threading.Thread(target=lambda: reads.extend(read_until(settings, people, done)))
        reading.start()
        try:
            rebuilt = ask_child([sys.executable, "-m", CHILD, settings.home], Rebuilt)
        finally:
            done.set()
            reading.join()
        store = open_online_store(settings.online)
        left = [
            p for p, end in open_lake(settings).positions(settings.log.name, 4).items() if store.positions()[p] != end
        ]
        store.close()
    yield exactly("rows that were pushed", rebuilt.rows, rows // 4 * 4)
    yield exactly("partitions that lack rows", len(left))
    yield reported("memory before", round(rebuilt.idle_mib, 1), unit="MiB")
    yield below("memory above that", round(rebuilt.peak_mib - rebuilt.idle_mib, 1), ABOVE_IDLE_MIB, unit="MiB")
    yield reported("rows per second", round(rebuilt.rows / rebuilt.seconds))
    yield reported("reads beside it", len(reads))
    yield below("longest read beside it", round(max(reads), 3), LONGEST_READ_SECONDS, unit="s")


def lose_store(settings: Settings) -> None:
    """Remove the online store's files."""
    path = Path(settings.online.url.removeprefix("sqlite://"))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def read_until(settings: Settings, people: list[str], done: threading.Event) -> list[float]:
    """Read people's recent events until told to stop; seconds of each read."""
    store = open_online_store(settings.online)
    seconds: list[float] = []
    while not done.is_set():
        person = people[len(seconds) % len(people)]
        began = time.perf_counter()
        store.personal(person)
        store.recent(person, after=store.positions())
        seconds.append(time.perf_counter() - began)
        done.wait(0.02)
    store.close()
    return seconds
