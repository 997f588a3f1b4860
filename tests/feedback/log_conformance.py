"""What every feedback log must do; an implementation's test inherits it and says how to open one."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback.errors import LogError, LogGap
from feedback.log import FeedbackLog, NewRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class LogConformance(ABC):
    @abstractmethod
    def open(self, folder: Path) -> FeedbackLog:
        """A log with four partitions in a folder; the same folder gives the same log."""

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

    def test_what_was_appended_is_there_after_opening_again(self, tmp_path: Path) -> None:
        first = self.open(tmp_path)
        first.append([NewRecord(0, b"kept", 1, (b"k" * 16,))], now=NOW)
        first.close()

        again = self.open(tmp_path)

        assert again.read(0, 0, max_events=1)[0].value == b"kept"
        assert again.recall([b"k" * 16, b"z" * 16]) == {b"k" * 16}

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

        dropped = log.trim(before=NOW + timedelta(days=3), keep_from={0: 2})

        assert dropped == 2
        assert log.bounds()[0] == (2, 4)
        with pytest.raises(LogGap, match="offset 0 is asked for, but the log holds 2 to 3"):
            log.read(0, 0, max_events=1)

    def test_reading_beyond_the_end_is_a_gap(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        with pytest.raises(LogGap):
            log.read(0, 5, max_events=1)
