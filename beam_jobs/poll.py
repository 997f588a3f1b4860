"""Poll: read the feedback log from the positions that the Delta log holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from beam_jobs.batch import Poll
from feedback.log import FeedbackLog, LogRecord


class Cursor:
    """Where one worker reads on, over its partitions."""

    def __init__(self, log: FeedbackLog, positions: Mapping[int, int], *, max_events: int, max_bytes: int) -> None:
        self._log = log
        self._positions = dict(positions)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._turn = 0

    def poll(self, *, until: Mapping[int, int] | None = None) -> Poll | None:
        """The next records, at most about `max_events` events and `max_bytes`, shared fairly; `None` if there are none.

        A record is taken whole. One that goes beyond the limits ends the poll, and the next one begins with the
        partitions that went without; so memory is bounded by the limits and one record.

        Args:
            until: Per partition, an offset to stop before; all that is there by default.
        """
        records: list[LogRecord] = []
        end = dict(self._positions)
        for partition in self._in_turn():
            position = self._positions[partition]
            limit = until[partition] if until is not None else None
            if limit is not None and position >= limit:
                continue
            found = self._read(partition, position)
            if limit is not None:
                found = [record for record in found if record.offset < limit]
            records.extend(found)
            if found:
                end[partition] = found[-1].offset + 1
            self._turn += 1
            if _lines(records) >= self._max_events or _bytes(records) >= self._max_bytes:
                break
        if not records:
            return None
        moved = {p: position for p, position in end.items() if position != self._positions[p]}
        poll = Poll(tuple(records), {p: self._positions[p] for p in moved}, moved)
        self._positions = end
        return poll

    def _in_turn(self) -> list[int]:
        partitions = list(self._positions)
        first = self._turn % len(partitions) if partitions else 0
        return partitions[first:] + partitions[:first]

    def _read(self, partition: int, position: int) -> list[LogRecord]:
        """One partition's share; what its records say of their count is not believed."""
        partitions = max(1, len(self._positions))
        events, size = max(1, self._max_events // partitions), max(1, self._max_bytes // partitions)
        found = self._log.read(partition, position, max_events=events, max_bytes=size)
        enough = next((n for n, lines in enumerate(accumulate(map(_line_count, found)), 1) if lines >= events), None)
        return found[:enough]


def _line_count(record: LogRecord) -> int:
    return record.value.count(b"\n") + 1


def _lines(records: Sequence[LogRecord]) -> int:
    return sum(map(_line_count, records))


def _bytes(records: Sequence[LogRecord]) -> int:
    return sum(len(record.value) for record in records)
