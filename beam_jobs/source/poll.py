"""Poll: read the feedback log from the positions that the Delta log holds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from itertools import accumulate

from beam_jobs.batch import Poll
from feedback.log.port import FeedbackLog
from feedback.log.records import Records, line_counts


class Cursor:
    """A worker's next offsets, one for each of its partitions."""

    def __init__(self, log: FeedbackLog, positions: Mapping[int, int], *, max_events: int, max_bytes: int) -> None:
        self._log = log
        self._positions = dict(positions)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events_each = max(1, max_events // max(1, len(positions)))
        self._bytes_each = max(1, max_bytes // max(1, len(positions)))
        self._turn = 0
        self._newest_ms: dict[int, int] = {}
        self._is_new = True

    @property
    def positions(self) -> Mapping[int, int]:
        """Per partition, the next offset to read."""
        return self._positions

    def ages(self, now: float) -> dict[int, float]:
        """Per partition, how many seconds before a time (since 1970) the last record that was read was appended."""
        return {partition: max(0.0, now - ms / 1000) for partition, ms in self._newest_ms.copy().items()}

    def poll(self, *, until: Mapping[int, int] | None = None) -> Poll | None:
        """The next records, at most about `max_events` events and `max_bytes`, shared fairly; `None` if there are none.

        A record is taken whole. One that goes beyond the limits ends the poll, and the next one begins with the
        partitions that went without; so memory is bounded by the limits and one record.

        Args:
            until: Per partition, an offset to stop before; all that is there by default.
        """
        records = Records()
        counts: list[int] = []
        start: dict[int, int] = {}
        end: dict[int, int] = {}
        events = size = 0
        more = False
        self._announce()
        for partition in self._in_turn():
            position = self._positions[partition]
            limit = until[partition] if until is not None else None
            if limit is not None and position >= limit:
                continue
            found, lines = self._read(partition, position, limit)
            if found:
                start[partition], end[partition] = position, found.offsets[-1] + 1
                self._newest_ms[partition] = found.appended_at_ms[-1]
                records.extend(found)
                counts += lines
                mine, bytes_of_mine = sum(lines), sum(map(len, found.values))
                more |= mine >= self._events_each or bytes_of_mine >= self._bytes_each
                events, size = events + mine, size + bytes_of_mine
            self._turn += 1
            if events >= self._max_events or size >= self._max_bytes:
                break
        if not records:
            return None
        self._positions |= end
        return Poll(records, start, end, tuple(counts), more)

    def _announce(self) -> None:
        """On the first poll, request every partition, so that the log fetches all of them in parallel."""
        if self._is_new and len(self._positions) > 1:
            for partition, position in self._positions.items():
                self._log.read(partition, position, max_events=0)
        self._is_new = False

    def _in_turn(self) -> list[int]:
        partitions = list(self._positions)
        first = self._turn % len(partitions) if partitions else 0
        return partitions[first:] + partitions[:first]

    def _read(self, partition: int, position: int, limit: int | None) -> tuple[Records, list[int]]:
        """One partition's records and the lines of each; the counts that records state are not trusted."""
        found = self._log.read(partition, position, max_events=self._events_each, max_bytes=self._bytes_each)
        if limit is not None and found and found.offsets[-1] >= limit:
            found = found[: bisect_left(found.offsets, limit)]
        lines = line_counts(found.values)
        if sum(lines) > self._events_each:
            enough = next(n for n, total in enumerate(accumulate(lines), 1) if total >= self._events_each)
            found, lines = found[:enough], lines[:enough]
        return found, lines


class PollingAhead:
    """Polls of one cursor; while more is waiting, the next poll runs in the background."""

    def __init__(self, cursor: Cursor, background: Executor, clock: Callable[[], float]) -> None:
        self._cursor = cursor
        self._background = background
        self._clock = clock
        self._under_way: Future[Poll | None] | None = None

    def poll(self, *, until: Mapping[int, int] | None = None) -> Poll | None:
        """As `Cursor.poll`; `until` must stay the same."""
        under_way, self._under_way = self._under_way, None
        poll = self._poll(until) if under_way is None else under_way.result()
        if poll is not None and poll.more:
            self._under_way = self._background.submit(self._poll, until)
        return poll

    def settle(self) -> None:
        """Wait for the running poll and drop its records."""
        if self._under_way is not None:
            wait([self._under_way])
            self._under_way = None

    def _poll(self, until: Mapping[int, int] | None) -> Poll | None:
        polled_at = self._clock()
        poll = self._cursor.poll(until=until)
        return poll if poll is None else replace(poll, polled_at=polled_at)
