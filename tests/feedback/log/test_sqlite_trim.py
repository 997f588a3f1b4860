from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import feedback.log.sqlite_trim
from feedback.log.port import Memo, NewRecord
from feedback.log.sqlite import DAY_MS, SqliteLog
from feedback.log.sqlite_trim import SteppedTrim, step_end
from tests.feedback.log.log_conformance import NOW

LATER = NOW + timedelta(days=2)


def key(number: int) -> bytes:
    return number.to_bytes(2, "big") * 8


def memos(*numbers: int) -> tuple[Memo, ...]:
    return tuple(Memo(key(number), number) for number in numbers)


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    """Ten old records with three keys each, then one young record."""
    log = SqliteLog(tmp_path / "log.db")
    for number in range(10):
        log.append([NewRecord(number % 2, b"x", 1, memos(*range(3 * number, 3 * number + 3)))], now=NOW)
    log.append([NewRecord(0, b"young", 1, memos(999))], now=LATER)
    return log


@pytest.fixture
def trimmed(tmp_path: Path, log: SqliteLog) -> Callable[[Callable[[float], None]], tuple[int, int]]:
    """Trims what is old in steps of two rows; says how many records and keys went."""

    def trim(rest: Callable[[float], None]) -> tuple[int, int]:
        connection = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
        stepped = SteppedTrim(connection, threading.Lock, rest)
        before_ms = int(LATER.timestamp() * 1000)
        try:
            records = stepped.records(log.bounds(), before_ms=before_ms, keep_from={0: 99, 1: 4})
            return records, stepped.keys("events", before_day=before_ms // DAY_MS)
        finally:
            connection.close()

    return trim


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback.log.sqlite_trim, "STEP_ROWS", 2)
    monkeypatch.setattr(feedback.log.sqlite_trim, "SCAN_KEYS", 7)


def test_what_is_old_and_landed_goes_and_the_rest_stays(log: SqliteLog, trimmed) -> None:  # noqa: ANN001
    assert trimmed(lambda _: None) == (9, 30)

    assert log.bounds() == {0: (5, 6), 1: (4, 5), 2: (0, 0), 3: (0, 0)}
    assert log.seen_ids([key(n) for n in (*range(30), 999)]) == {key(999): 999}
    assert trimmed(lambda _: None) == (0, 0)


def test_another_process_can_write_between_any_two_steps(tmp_path: Path, trimmed) -> None:  # noqa: ANN001
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None, timeout=0)
    rests: list[float] = []

    def write_meanwhile(seconds: float) -> None:
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
        rests.append(seconds)

    trimmed(write_meanwhile)

    assert len(rests) >= 5 + 15  # nine records of two partitions and thirty keys, two at a time
    assert min(rests) > 0
    other.close()


def test_a_trim_that_is_cut_short_leaves_a_whole_log_and_is_made_up_for(log: SqliteLog, trimmed) -> None:  # noqa: ANN001
    def die(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trimmed(die)

    first, _ = log.bounds()[0]
    assert [record.offset for record in log.read(0, first, max_events=99)] == list(range(first, 6))
    assert first == 2
    assert trimmed(lambda _: None) == (7, 30)


def test_what_is_appended_during_a_trim_stays(log: SqliteLog, trimmed) -> None:  # noqa: ANN001
    def append_meanwhile(_: float) -> None:
        log.append([NewRecord(1, b"new", 1, memos(777))], now=LATER)

    trimmed(append_meanwhile)

    first, end = log.bounds()[1]
    assert [record.offset for record in log.read(1, first, max_events=999)] == list(range(first, end))
    assert log.seen_ids([key(777)]) == {key(777): 777}


@pytest.mark.parametrize(
    ("sizes", "limit", "ends"),
    [
        ([], 9, 9),
        ([(3, 1), (4, 1)], 9, 5),
        ([(3, 1)], 4, 4),
        ([(3, 1)], 9, 9),
        ([(3, 1 << 30), (4, 1)], 9, 4),
    ],
    ids=["nothing is there", "as many as a step takes", "up to the limit", "a gap up to the limit", "a giant alone"],
)
def test_a_step_ends_by_rows_and_by_bytes(sizes: list[tuple[int, int]], limit: int, ends: int) -> None:
    assert step_end(sizes, limit) == ends
