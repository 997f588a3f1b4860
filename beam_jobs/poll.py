"""Poll: read the feedback log from the positions that the Delta log holds."""

from __future__ import annotations

from collections.abc import Mapping

from beam_jobs.batch import Poll
from feedback.log import FeedbackLog, LogRecord


class Cursor:
    """Where one worker reads on, over its partitions."""

    def __init__(self, log: FeedbackLog, positions: Mapping[int, int], *, max_events: int, max_bytes: int) -> None:
        self._log = log
        self._positions = dict(positions)
        self._max_events = max_events
        self._max_bytes = max_bytes

    def poll(self, *, until: Mapping[int, int] | None = None) -> Poll | None:
        """The next records, at most about `max_events` events and `max_bytes`, shared fairly; `None` if there are none.

        A record is taken whole, so that a poll may go beyond them by one record for each partition.

        Args:
            until: Per partition, an offset to stop before; all that is there by default.
        """
        records: list[LogRecord] = []
        end = dict(self._positions)
        share = max(1, self._max_events // max(1, len(end)))
        bytes_share = max(1, self._max_bytes // max(1, len(end)))
        for partition, position in self._positions.items():
            limit = until[partition] if until is not None else None
            if limit is not None and position >= limit:
                continue
            found = self._log.read(partition, position, max_events=share, max_bytes=bytes_share)
            if limit is not None:
                found = [record for record in found if record.offset < limit]
            records.extend(found)
            if found:
                end[partition] = found[-1].offset + 1
        if not records:
            return None
        moved = {p: position for p, position in end.items() if position != self._positions[p]}
        poll = Poll(tuple(records), {p: self._positions[p] for p in moved}, moved)
        self._positions = end
        return poll
