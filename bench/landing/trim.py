"""The daily trim of the SQLite log with 3 million identities: the longest append meanwhile.

A log gets a day's identities that are due and as many that stay. One thread appends single events all the time, and
another process holds a lease, while a third trims. `--identities` makes it smaller.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import click

from bench.figures import Figure, below, exactly, reported
from feedback.intake import utc_now
from feedback.log.port import Memo, NewRecord
from feedback.log.sqlite import SqliteLog
from feedback.settings.source import ROOT

IDENTITIES = 3_000_000
RECORD_KEYS = 2_000
LONGEST_WAIT_SECONDS = 0.5

OPTIONS = (
    click.Option(
        ["--identities"],
        type=click.IntRange(min=RECORD_KEYS),
        default=IDENTITIES,
        show_default=True,
        help="Identity keys in the log; half of them are due.",
    ),
)

_TRIM = """
import sys
from datetime import timedelta
from feedback.intake import utc_now
from feedback.log.sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
ends = {partition: end for partition, (_, end) in log.bounds().items()}
print(log.trim(before=utc_now() - timedelta(days=30), keep_from=ends))
"""


def run(report: Callable[[str], None], *, identities: int = IDENTITIES) -> Iterator[Figure]:
    """The longest append beside a trim, and that the trim did its work."""
    with tempfile.TemporaryDirectory(prefix="heed-trim-") as folder:
        path = Path(folder) / "log.db"
        log = SqliteLog(path)
        report(f"writing {identities:,} identities")
        due = fill(log, identities)
        calm = appends_until(log, threading.Event(), seconds=5.0)
        report("trimming")
        began = time.perf_counter()
        busy, dropped = appends_beside_trim(log, path)
        seconds = time.perf_counter() - began
        log.close()
        yield reported("longest append without a trim", round(max(calm), 3), unit="s")
        yield below("longest append beside a trim", round(max(busy), 3), LONGEST_WAIT_SECONDS, unit="s")
        yield reported("appends beside the trim", len(busy))
        yield reported("length of the trim", round(seconds, 1), unit="s")
        yield exactly("records that were due and are gone", dropped, due)


def fill(log: SqliteLog, identities: int) -> int:
    """Append records, half of them older than the retention; returns how many are due."""
    now = utc_now()
    old = now - timedelta(days=40)
    records = identities // RECORD_KEYS
    for number in range(records):
        keys = (hashlib.blake2b(b"%d/%d" % (number, n), digest_size=16).digest() for n in range(RECORD_KEYS))
        record = NewRecord(number % log.partitions, b"x" * 100_000, RECORD_KEYS, tuple(map(Memo, keys)))
        log.append([record], now=old if number < records // 2 else now)
    return records // 2


def appends_beside_trim(log: SqliteLog, path: Path) -> tuple[list[float], int]:
    """Seconds of every append while another process trims, and how many records that dropped."""
    done = threading.Event()
    waits: list[float] = []
    appending = threading.Thread(target=lambda: waits.extend(appends_until(log, done)))
    appending.start()
    try:
        trim = subprocess.run(
            [sys.executable, "-c", _TRIM, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
        )
    finally:
        done.set()
        appending.join()
    return waits, int(trim.stdout)


def appends_until(log: SqliteLog, done: threading.Event, *, seconds: float = 3_600.0) -> list[float]:
    """Append one small record after the other until told to stop; how long each took."""
    waits: list[float] = []
    end = time.perf_counter() + seconds
    while not done.is_set() and time.perf_counter() < end:
        began = time.perf_counter()
        log.append([NewRecord(0, b"x", 1)], now=utc_now())
        waits.append(time.perf_counter() - began)
        done.wait(0.005)
    return waits
