"""The two ways to read the log in Beam: to its end, or for ever. Both give polls to the same chain.

The Delta log is the checkpoint, not the runner: a restriction only counts polls, and a new worker starts from the
committed positions whatever the runner remembers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import Duration

from beam_jobs.batch import Poll
from beam_jobs.in_process import caller_of
from beam_jobs.poll import Cursor
from feedback.log import FeedbackLog, open_log
from feedback.settings import Settings
from lakehouse.lake import open_lake

POLL_BUDGET_SECONDS = 1.0
"""How long one call polls before it hands itself back to the runner; Prism wants it short, Flink longer."""

ENDLESS = 1 << 62


class _LogReader(beam.DoFn):
    """Opens the log at the committed positions."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._log: FeedbackLog | None = None

    def _open(self) -> tuple[FeedbackLog, Cursor]:
        self._log = self._log or open_log(self._settings)
        positions = open_lake(self._settings).positions(self._log.name, self._log.partitions)
        limits = self._settings
        cursor = Cursor(
            self._log, positions, max_events=limits.landing_batch_events, max_bytes=limits.landing_batch_bytes
        )
        return self._log, cursor

    def teardown(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None


class ReadToEnd(_LogReader):
    """worker -> polls, up to the end that the log had at the start."""

    def process(self, worker: int) -> Iterator[Poll]:
        """Read on until the end is reached."""
        log, cursor = self._open()
        until = {partition: end for partition, (_, end) in log.bounds().items()}
        while not caller_of(self._token).stop.is_set() and (poll := cursor.poll(until=until)) is not None:
            yield poll


class PollNumbers(RestrictionProvider):
    """The restriction of an endless read: the numbers of its polls."""

    def initial_restriction(self, element: int) -> OffsetRange:
        """All of them."""
        return OffsetRange(0, ENDLESS)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        """Count polls."""
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: int, restriction: OffsetRange) -> int:
        """One call's worth: there is no backlog to share out inside a worker."""
        return 1


class ReadForever(_LogReader):
    """worker -> polls, as long as the stream runs; an unbounded, self-checkpointing splittable DoFn."""

    def __init__(self, settings: Settings, token: str) -> None:
        super().__init__(settings, token)
        self._cursor: Cursor | None = None
        self._last_flush = 0.0

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        worker: int,
        tracker: Any = beam.DoFn.RestrictionParam(PollNumbers()),  # noqa: ANN401, B008 - Beam's own protocol
    ) -> Iterator[Poll]:
        """Poll for a short while, then defer the rest to the runner."""
        if self._cursor is None:
            _, self._cursor = self._open()
        stop = caller_of(self._token).stop
        number = tracker.current_restriction().start
        hand_back_at = time.monotonic() + POLL_BUDGET_SECONDS
        while tracker.try_claim(ENDLESS if stop.is_set() else number):
            number += 1
            poll = self._cursor.poll() if self._flush_is_due() else None
            if poll is not None:
                self._last_flush = time.monotonic()
                yield poll
            else:
                stop.wait(self._settings.landing_poll_seconds)
            if time.monotonic() >= hand_back_at:
                tracker.defer_remainder(Duration(0))
                return

    def _flush_is_due(self) -> bool:
        """Quiet times flush at once, busy times at most every `landing_flush_seconds`, in larger batches."""
        return time.monotonic() - self._last_flush >= self._settings.landing_flush_seconds
