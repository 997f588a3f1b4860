"""What every feedback log must do; an implementation's test inherits it and says how to open one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback.errors import LogError, LogGap
from feedback.log.port import FeedbackLog, Memo, NewRecord, PartitionAssignment

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE_SECONDS = 6.0  # the shortest that a broker allows by default
EVERY_PARTITION = frozenset(range(4))
PATIENCE_SECONDS = 60.0


def eventually(holds: Callable[[], bool]) -> None:
    """Asks every 10 ms, as landing does, until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def settled(*assignments: PartitionAssignment) -> bool:
    """Every partition has one owner, and nobody has two more than another."""
    owned = [assignment.partitions() for assignment in assignments]
    sizes = [len(partitions) for partitions in owned]
    return frozenset().union(*owned) == EVERY_PARTITION and sum(sizes) == 4 and max(sizes) - min(sizes) <= 1


class Worker:
    """Another process that joined the log and says what it owns when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answer(self) -> frozenset[int]:
        assert self._process.stdout is not None
        return frozenset(json.loads(self._process.stdout.readline()))

    def partitions(self) -> frozenset[int]:
        self.ask()
        return self.answer()

    def leave(self) -> None:
        self._process.terminate()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


@contextmanager
def another_worker(log: FeedbackLog, address: str, folder: Path) -> Iterator[Worker]:
    command = [sys.executable, str(Path(__file__).with_name("assignment_child.py")), str(folder), address, log.name]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.communicate()


class LogConformance(ABC):
    @abstractmethod
    def open(self, folder: Path) -> FeedbackLog:
        """A log with four partitions in a folder; the same folder gives the same log."""

    @abstractmethod
    def destroy(self, folder: Path) -> None:
        """Take the log away for good."""

    states_its_own_time = False
    """Whether the log takes the time of a record from a clock of its own."""

    def test_offsets_run_from_zero_without_gaps_in_each_partition(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        offsets = [log.append([NewRecord(p, b"x", 1)], now=NOW)[0] for p in (0, 1, 0, 0, 1)]

        assert offsets == [0, 0, 1, 2, 1]
        assert log.bounds() == {0: (0, 3), 1: (0, 2), 2: (0, 0), 3: (0, 0)}

    def test_a_record_comes_back_as_it_went_in(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.append([NewRecord(2, b'{"a":1}\n{"b":2}', 2)], now=NOW)

        (record,) = log.read(2, 0, max_events=10)

        assert (record.partition, record.offset, record.count) == (2, 0, 2)
        assert record.value == b'{"a":1}\n{"b":2}'
        if not self.states_its_own_time:
            assert record.appended_at_ms == int(NOW.timestamp() * 1000)

    def test_reading_is_bounded_by_events_but_never_stalls(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.append([NewRecord(0, b"big", 50), NewRecord(0, b"a", 4), NewRecord(0, b"b", 4)], now=NOW)

        assert [r.offset for r in log.read(0, 0, max_events=10)] == [0]
        assert [r.offset for r in log.read(0, 1, max_events=10)] == [1, 2]
        assert log.read(0, 3, max_events=10) == []

    def test_reading_is_bounded_by_bytes_but_never_stalls(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.append([NewRecord(0, b"x" * size, 1) for size in (40, 40, 40, 500, 1)], now=NOW)

        assert [r.offset for r in log.read(0, 0, max_events=100, max_bytes=100)] == [0, 1]
        assert [r.offset for r in log.read(0, 2, max_events=100, max_bytes=100)] == [2]
        assert [r.offset for r in log.read(0, 3, max_events=100, max_bytes=100)] == [3]

    def test_saying_where_reading_will_go_on_takes_nothing_away(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.append([NewRecord(p, b"x", 1) for p in (0, 1, 0)], now=NOW)

        for _ in range(2):
            log.read(0, 0, max_events=0)
            log.read(1, 0, max_events=0)
            assert [r.offset for r in log.read(0, 0, max_events=10)] == [0, 1]
            assert [r.offset for r in log.read(1, 0, max_events=10)] == [0]

    def test_what_was_appended_is_there_after_opening_again(self, tmp_path: Path) -> None:
        first = self.open(tmp_path)
        first.append([NewRecord(0, b"kept", 1, (Memo(b"k" * 16, 7),))], now=NOW)
        assert first.seen_ids([b"k" * 16, b"z" * 16]) == {b"k" * 16: 7}
        first.close()

        again = self.open(tmp_path)

        assert again.read(0, 0, max_events=1)[0].value == b"kept"
        assert again.seen_ids([b"k" * 16, b"z" * 16]).items() <= {b"k" * 16: 7}.items()

    def test_threads_that_append_at_once_get_each_offset_once(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        seen: list[int] = []

        def work(name: int) -> None:
            for number in range(20):
                seen.extend(log.append([NewRecord(1, f"{name}/{number}".encode(), 1)], now=NOW))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(seen) == list(range(160))
        assert len({r.value for r in log.read(1, 0, max_events=1000)}) == 160

    def test_an_unknown_partition_is_refused_and_nothing_of_the_call_is_kept(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        with pytest.raises(LogError, match="partition 9"):
            log.append([NewRecord(0, b"x", 1), NewRecord(9, b"y", 1)], now=NOW)

        assert log.bounds()[0] == (0, 0)

    def test_trimming_drops_what_is_old_and_landed_and_names_the_gap_after(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        for day in range(4):
            log.append([NewRecord(0, b"x", 1)], now=NOW + timedelta(days=day))
        before = NOW + timedelta(days=3)
        if self.states_its_own_time:
            (last,) = log.read(0, 3, max_events=1)
            before = datetime.fromtimestamp(last.appended_at_ms / 1000, UTC) + timedelta(milliseconds=1)

        dropped = log.trim(before=before, keep_from={0: 2})

        assert dropped == 2
        assert log.bounds()[0] == (2, 4)
        with pytest.raises(LogGap, match="offset 0 is asked for, but the log holds 2 to 3"):
            log.read(0, 0, max_events=1)

    def test_reading_beyond_the_end_is_a_gap(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        with pytest.raises(LogGap):
            log.read(0, 5, max_events=1)

    def test_headers_come_back_and_their_absence_too(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        beside = (("traceparent", b"00-4bf9-00f0-01"), ("odd", bytes(range(256))))
        log.append([NewRecord(0, b"x", 1, headers=beside), NewRecord(0, b"y", 1)], now=NOW)

        with_headers, without = log.read(0, 0, max_events=2)

        assert with_headers.headers == beside
        assert without.headers == ()

    def test_a_log_made_anew_is_another_incarnation(self, tmp_path: Path) -> None:
        first = self.open(tmp_path)
        again = self.open(tmp_path)
        first.close()
        again.close()
        self.destroy(tmp_path)

        anew = self.open(tmp_path)

        assert first.incarnation == again.incarnation
        assert anew.incarnation != first.incarnation
        assert all(1 <= log.incarnation <= 2**62 for log in (first, anew))

    def test_a_sole_worker_has_every_partition(self, tmp_path: Path) -> None:
        assignment = self.open(tmp_path).join("sole")

        eventually(lambda: assignment.partitions() == EVERY_PARTITION)

        assignment.leave()
        assert assignment.partitions() == frozenset()

    def test_workers_share_evenly_and_who_leaves_hands_over_at_once(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        first = log.join("first")
        eventually(lambda: first.partitions() == EVERY_PARTITION)

        second = log.join("second")
        eventually(lambda: settled(first, second))
        third = self.open(tmp_path).join("third")
        eventually(lambda: settled(first, second, third))

        started = time.monotonic()
        first.leave()
        third.leave()
        eventually(lambda: second.partitions() == EVERY_PARTITION)
        assert time.monotonic() - started < LEASE_SECONDS
        second.leave()


class SharedLogConformance(LogConformance):
    """What a log must do besides that other processes can open."""

    @abstractmethod
    def address(self, folder: Path) -> str:
        """Where another process finds that log."""

    def test_a_stopped_worker_loses_its_partitions_and_knows_it_when_it_wakes(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        mine = log.join("mine")
        with another_worker(log, self.address(tmp_path), tmp_path) as other:
            eventually(lambda: settled(mine, other))

            other.signal(signal.SIGSTOP)
            eventually(lambda: mine.partitions() == EVERY_PARTITION)
            other.ask()
            other.signal(signal.SIGCONT)

            assert other.answer() == frozenset()
            eventually(lambda: settled(mine, other))
        mine.leave()

    def test_a_worker_that_is_killed_is_replaced(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        mine = log.join("mine")
        with another_worker(log, self.address(tmp_path), tmp_path) as other:
            eventually(lambda: settled(mine, other))

        eventually(lambda: mine.partitions() == EVERY_PARTITION)
        mine.leave()
