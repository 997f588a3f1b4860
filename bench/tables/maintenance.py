"""Maintenance: scans and opening after many small commits, and files left behind.

An hour at 1,000 events/s with a commit per 200 ms is 18,000 commits of 200 rows. Here 10,000 commits land as fast as
they go through the real committer, with `heed maintain --every` beside it in its own process: 2,000 of 500 rows, one
half on a closed day and one half on the open one, then 8,000 of a single row.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from bench.figures import Figure, below
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake, open_lake
from lakehouse.maintenance.checkpoints import table_store
from lakehouse.maintenance.orphans import list_files
from lakehouse.maintenance.run import MaintenanceReport, run_maintenance
from lakehouse.tables.feedback import FEEDBACK

LARGE_COMMITS, ROWS = 2_000, 500
SMALL_COMMITS = 8_000
PERIOD_SECONDS = 5.0
"""Between two passes: the default of 30 s, scaled as the commits are."""
ORPHANS = 20
TRIES = 5
WORDS = (
    "the",
    "film",
    "was",
    "good",
    "bad",
    "great",
    "awful",
    "plot",
    "actor",
    "long",
    "short",
    "music",
    "end",
    "slow",
)


class Killed(Exception):
    """Raised where a writer dies between its data file and its commit."""


def run(report: Callable[[str], None]) -> Iterator[Figure]:
    """Every figure of maintenance, as it is measured."""
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        settings = load_settings(Path(folder) / "home")
        lake = open_lake(settings)
        today = datetime.now(UTC).date()
        with maintaining(settings) as passes:
            report(f"{LARGE_COMMITS:,} commits of {ROWS} rows")
            end = land(lake, days(today), rows_each=ROWS, start=0)
            ratio = scan_ratio(lake, Path(folder) / "fresh", today)
            yield below(f"scan of the day against a fresh table, {LARGE_COMMITS // 2 * ROWS:,} rows", ratio, 1.5)
            report(f"{SMALL_COMMITS:,} commits of one row")
            land(lake, [today] * SMALL_COMMITS, rows_each=1, start=end)
            yield below("opening after 10,000 commits", opening(lake) * 1000, 200, unit="ms")
        report("closing and cleaning up")
        leave_orphans(lake, today)
        last = run_maintenance(settings, wait_seconds=60)
        yield below("files of the closed day", files_of(lake, today - timedelta(days=2)), 51, unit="files")
        yield below("orphans left of 20 and what maintenance left", orphans_left(settings, lake), 1, unit="files")
        peak = max(done.peak_bytes for done in [*passes, last]) / 2**20
        yield below("maintenance's peak memory", peak, settings.maintenance.memory_mb, unit="MiB")
        problems = [problem for done in [*passes, last] for problem in done.problems]
        print(*problems, sep="\n", file=sys.stderr)
        yield below("actions left for later", len(problems), 1)


class maintaining:  # noqa: N801 - reads as a verb where it is used
    """`heed maintain --every` beside the block; the reports of its passes are there when the block ends."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "cli", "maintain", "--every", str(PERIOD_SECONDS), "--json"]
        self._process = subprocess.Popen([*command, "--home", settings.home], cwd=ROOT, stdout=subprocess.PIPE)
        self._passes: list[MaintenanceReport] = []

    def __enter__(self) -> list[MaintenanceReport]:
        return self._passes

    def __exit__(self, *raised: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        out = self._process.communicate(timeout=60)[0]
        self._passes.extend(msgspec.json.decode(line, type=MaintenanceReport) for line in out.splitlines())


def days(today: date) -> list[date]:
    """Of each large commit: first the closed day, then the open one."""
    half = LARGE_COMMITS // 2
    return [today - timedelta(days=2)] * half + [today] * half


def land(lake: Lake, landed_on: list[date], *, rows_each: int, start: int) -> int:
    """Commit batches one after the other; returns the next offset."""
    committer = LandingCommitter(lake, "feedback", 1)
    rng = np.random.default_rng(42)
    for day in landed_on:
        rows = ratings(rng, rows_each, start, day)
        batch = LandingBatch({0: start}, {0: start + rows_each}, {FEEDBACK.name: rows})
        committer.commit(batch, at=datetime.now(UTC))
        start += rows_each
    return start


def ratings(rng: np.random.Generator, count: int, start: int, day: date) -> pa.Table:
    """Ratings with text and context, of about 300 bytes as JSON."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    words = np.array(WORDS)
    values: dict[str, Any] = {
        "v": [1] * count,
        "id": [f"e{number}" for number in range(start, start + count)],
        "kind": ["rating"] * count,
        "subject": [f"{number:032x}" for number in rng.integers(0, 50_000, count)],
        "item_id": [str(number) for number in rng.integers(0, 20_000, count)],
        "occurred_at": [at] * count,
        "received_at": [at] * count,
        "source": ["web"] * count,
        "value": rng.integers(1, 6, count).astype(float),
        "text": [" ".join(words[rng.integers(0, len(words), 12)]) for _ in range(count)],
        "country": np.array(["DE", "FR", "US", "GB", "IT"])[rng.integers(0, 5, count)],
        "session_id": [f"{number:016x}" for number in rng.integers(0, 1 << 50, count)],
        "log_partition": [0] * count,
        "log_offset": np.arange(start, start + count),
        "log_index": [0] * count,
        "log_count": [1] * count,
        "landed_on": [day] * count,
    }
    arrays = [pa.array(values.get(column.name, [None] * count), type=column.type) for column in FEEDBACK.columns]
    return pa.table(arrays, schema=FEEDBACK.schema)


def scan_ratio(lake: Lake, folder: Path, day: date) -> float:
    """Time to scan a day as it stands, over the time to scan the same rows written at once; the best of some tries."""
    fresh = Lake(str(folder))
    fresh.overwrite(FEEDBACK, lake.scan(FEEDBACK).filter(pl.col("landed_on") == day).collect())
    return best_of(lambda: scan(lake, day)) / best_of(lambda: scan(fresh, day))


def scan(lake: Lake, day: date) -> None:
    """Read every column that a report would."""
    (
        lake.scan(FEEDBACK)
        .filter(pl.col("landed_on") == day)
        .group_by("item_id")
        .agg(pl.col("value").mean(), pl.col("subject").n_unique(), pl.col("text").str.len_bytes().sum())
        .collect()
    )


def opening(lake: Lake) -> float:
    """Seconds to open the table."""
    return best_of(lambda: lake.table(FEEDBACK))


def best_of(what: Callable[[], object]) -> float:
    """Seconds of the quickest of some tries: what else the machine does only ever adds."""
    times = []
    for _ in range(TRIES):
        started = time.perf_counter()
        what()
        times.append(time.perf_counter() - started)
    return min(times)


def leave_orphans(lake: Lake, day: date) -> None:
    """As writers that die between data file and commit; made to look old enough to be taken."""

    def die(point: str) -> None:
        if point == "after data file":
            raise Killed

    start = lake.positions("feedback", 1)[0]
    before = {file.path for file in list_files(table_store(lake, FEEDBACK))}
    rows = ratings(np.random.default_rng(1), 1, start, day)
    batch = LandingBatch({0: start}, {0: start + 1}, {FEEDBACK.name: rows})
    for _ in range(ORPHANS):
        try:
            LandingCommitter(lake, "feedback", 1, fault=die).commit(batch, at=datetime.now(UTC))
        except Killed:
            continue
    old = time.time() - 7200
    for file in list_files(table_store(lake, FEEDBACK)):
        if file.path not in before:
            os.utime(Path(lake.uri(FEEDBACK), file.path), (old, old))


def files_of(lake: Lake, day: date) -> int:
    """Data files of a day."""
    return sum(f"landed_on={day}" in uri for uri in lake.file_uris(FEEDBACK))


def orphans_left(settings: Settings, lake: Lake) -> int:
    """Files in the folder that the log names neither as data nor as replaced, but for those in their time of grace."""
    table = lake.table(FEEDBACK)
    folder = Path(lake.uri(FEEDBACK))
    replaced = table.vacuum(retention_hours=0, dry_run=True, enforce_retention_duration=False)
    named = {folder / path for path in replaced} | {Path(uri.removeprefix("file://")) for uri in table.file_uris()}
    grace = settings.maintenance.orphan_hours * 3600
    found = [path for path in folder.rglob("*.parquet*") if "_delta_log" not in path.parts and path not in named]
    return sum(time.time() - path.stat().st_mtime > grace for path in found)
