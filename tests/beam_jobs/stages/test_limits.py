"""What is too large or too deep for landing, written to the log by a producer that bypasses the gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from beam_jobs.batch import Batch, Poll
from beam_jobs.landing import drain
from beam_jobs.source.poll import Cursor, PollingAhead
from beam_jobs.stages.decode import decode
from beam_jobs.stages.limits import LandingLimits
from feedback.errors import LogError
from feedback.log.open import open_log
from feedback.log.port import Memo, NewRecord, pack
from feedback.log.sqlite import SqliteLog
from feedback.settings.home import Settings
from feedback.settings.source import ROOT
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.landed.quarantine import MAX_RAW_BYTES
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.support.landing.lines import append, line, poll

CHILD = ROOT / "tests" / "support" / "landing" / "drain_child.py"
MAX_PEAK_MIB = 1536
DEEP = 10_000
NESTED = b"[" * DEEP + b"]" * DEEP


def refused_of(batch: Batch) -> list[tuple[int, str]]:
    rows = [row for frame in batch.refused for row in frame.select("log_index", "code").iter_rows()]
    return sorted(rows)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line(text="x" * 10_000_000), "too_large"),
        (NESTED, "undecodable"),
        (line()[:-1] + b',"mood":' + NESTED + b"}", "undecodable"),
        (line()[:-1] + b',"text":' + NESTED + b"}", "undecodable"),
        (line(id="?").replace(b"?", b"\xff"), "undecodable"),
        (line(id="1") + line(id="2"), "undecodable"),
    ],
    ids=["10 MB", "10,000 deep", "deep unknown field", "deep known field", "not UTF-8", "two objects in a line"],
)
def test_what_cannot_be_taken_is_refused_alone_and_its_neighbours_land(bad: bytes, code: str) -> None:
    batch = decode(poll(line(id="before"), bad, b"", line(id="after")))

    assert batch.events["id"].to_list() == ["before", "after"]
    assert batch.events["log_index"].to_list() == [0, 3]
    assert refused_of(batch) == [(1, code), (2, "undecodable")]


def test_bytes_that_are_no_utf_8_do_not_land_where_all_else_in_the_batch_is_good() -> None:
    batch = decode(poll(line(id="good"), line(text="?").replace(b"?", b"\xff")))

    assert batch.events["id"].to_list() == ["good"]
    assert refused_of(batch) == [(1, "undecodable")]


def test_a_carriage_return_at_the_end_of_a_line_is_no_fault() -> None:
    assert decode(poll(line(id="1") + b"\r", b" " + line(id="2"))).events["id"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (LandingLimits(max_record_events=3), "holds 4 lines, the limit is 3"),
        (LandingLimits(max_record_bytes=100), "bytes, the limit is 100"),
    ],
    ids=["lines", "bytes"],
)
def test_a_record_that_is_too_large_as_a_whole_is_one_refused_row(limits: LandingLimits, words: str) -> None:
    batch = decode(poll(*(line(id=str(n)) for n in range(4))), limits)

    assert batch.events.is_empty()
    (row,) = batch.refused[0].to_dicts()
    assert (row["code"], row["log_index"], row["log_count"], row["landed_on"]) == ("too_large", 0, 1, NOW.date())
    assert words in row["detail"]


@pytest.mark.beam
def test_giants_in_the_log_are_accounted_and_what_is_good_lands(settings: Settings) -> None:
    log = open_log(settings.log)
    append(log, line(id="before"), line(text="x" * 10_000_000), line(id="after"))
    append(log, *[b"{}"] * 100_001, partition=1)
    append(log, line(id="other"), partition=1)

    report = drain(settings)

    assert (report.landed, report.codes) == (3, {"too_large": 2})
    lake = open_lake(settings)
    raws = lake.scan(QUARANTINE).filter(pl.col("log_partition") == 0).collect()["raw"]
    assert len(raws[0]) == MAX_RAW_BYTES
    assert audit(lake, log.name, bounds=log.bounds()).holds


@pytest.mark.beam
@pytest.mark.parametrize(
    ("count", "landed", "codes"),
    [(1_000_000, 0, {"too_large": 1}), (100_000, 100_000, {})],
    ids=["a million lines", "as many lines as are taken"],
)
def test_a_record_of_very_many_lines_is_landed_or_refused_as_a_whole_in_bounded_memory(
    settings: Settings, count: int, landed: int, codes: dict[str, int]
) -> None:
    log = open_log(settings.log)
    lines = b"\n".join(line(id=str(n), v=2, mood="glad") for n in range(count))
    log.append([NewRecord(0, lines, 1)], now=NOW)
    del lines

    command = [sys.executable, str(CHILD), settings.home]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)

    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["landed"], report["codes"]) == (landed, codes)
    assert report["peak_mib"] < MAX_PEAK_MIB
    assert audit(open_lake(settings), log.name, bounds=log.bounds()).holds


def cursor(log: SqliteLog, *, max_events: int = 1_000, max_bytes: int = 1 << 30) -> Cursor:
    return Cursor(log, dict.fromkeys(range(log.partitions), 0), max_events=max_events, max_bytes=max_bytes)


class OnceOnly(Cursor):
    def poll(self, *, until: Mapping[int, int] | None = None) -> Poll | None:
        if any(self.positions.values()):
            raise LogError("not a second time")
        return super().poll(until=until)


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "log.db", partitions=2)


def test_a_poll_is_bounded_in_bytes_and_loses_nothing(log: SqliteLog) -> None:
    for number in range(40):
        append(log, b"x" * 1_000, partition=number % 2)
    reader = cursor(log, max_bytes=10_000)

    polls = list(iter(reader.poll, None))

    assert sum(len(poll.records) for poll in polls) == 40
    assert max(sum(len(record.value) for record in poll.records) for poll in polls) <= 10_000
    assert all(after.start[p] == before.end[p] for before, after in pairwise(polls) for p in after.start)


def test_lines_are_counted_and_not_what_the_producer_says(log: SqliteLog) -> None:
    for _ in range(10):
        log.append([NewRecord(0, b"\n" * 999, 1)], now=NOW)
    reader = cursor(log, max_events=2_000)

    assert [len(poll.records) for poll in iter(reader.poll, None)] == [1] * 10


def test_polling_ahead_brings_the_same_polls_and_says_when_each_began(log: SqliteLog) -> None:
    for number in range(44):
        append(log, b"x" * 1_000, partition=number % 2)
    clock = iter(range(100))
    with ThreadPoolExecutor(1) as background:
        ahead = PollingAhead(cursor(log, max_bytes=10_000), background, lambda: float(next(clock)))
        polls = list(iter(ahead.poll, None))

    plain = list(iter(cursor(log, max_bytes=10_000).poll, None))
    assert [(found.records, found.start, found.end) for found in polls] == [
        (found.records, found.start, found.end) for found in plain
    ]
    assert [found.polled_at for found in polls] == list(range(len(polls)))
    assert [found.more for found in polls] == [True] * (len(polls) - 1) + [False]


def test_what_was_polled_ahead_is_dropped_when_reading_starts_again(log: SqliteLog) -> None:
    for number in range(40):
        append(log, b"x" * 1_000, partition=number % 2)
    with ThreadPoolExecutor(1) as background:
        ahead = PollingAhead(cursor(log, max_bytes=10_000), background, lambda: 0.0)
        first = ahead.poll()
        ahead.settle()
        third = ahead.poll()

    assert first is not None
    assert third is not None
    assert all(third.start[p] > first.end[p] for p in first.end)


def test_an_error_of_a_poll_ahead_reaches_whoever_asks_for_that_poll(log: SqliteLog) -> None:
    for number in range(40):
        append(log, b"x" * 1_000, partition=number % 2)
    with ThreadPoolExecutor(1) as background:
        reader = OnceOnly(log, {0: 0, 1: 0}, max_events=1_000, max_bytes=10_000)
        ahead = PollingAhead(reader, background, lambda: 0.0)
        assert ahead.poll() is not None

        with pytest.raises(LogError, match="not a second time"):
            ahead.poll()


def test_a_giant_record_ends_a_poll_and_the_other_partitions_come_next(log: SqliteLog) -> None:
    for _ in range(3):
        append(log, b"x" * 50_000, partition=0)
        append(log, b"y", partition=1)
    reader = cursor(log, max_bytes=10_000)

    first, second = reader.poll(), reader.poll()

    assert first is not None
    assert second is not None
    assert set(first.end) == {0}
    assert 1 in second.end


def test_packed_records_are_bounded_in_lines_and_in_bytes() -> None:
    events = [(0, b"x" * size, Memo(bytes([size]))) for size in (3, 3, 3, 20, 1, 1, 1, 1)]

    records = pack(events, max_events=3, max_bytes=8)

    assert [record.value.count(b"x") for record in records] == [6, 3, 20, 3, 1]
    assert [record.count for record in records] == [2, 1, 1, 3, 1]
    assert [memo for record in records for memo in record.memos] == [memo for _, _, memo in events]
