"""The two ways to read the log in Beam: to its end, or for ever. Both give batches to the same chain.

The Delta log is the checkpoint, not the runner: a restriction only counts batches, and a new worker starts from the
committed positions whatever the runner remembers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from beam_jobs.batch import Batch
from beam_jobs.runner.pipeline_context import context_of, release, reported_failure, set_rewind, shared
from beam_jobs.source.reader import LogReader, Until, to_the_end
from feedback.settings.home import Settings

ENDLESS = 1 << 62
WAIT_SECONDS = 0.05
"""How long the chain waits for a batch before it checks the stop event."""


class _LogReader(beam.DoFn):
    """A DoFn with a reader of the log, which the sink can send back to the committed positions."""

    def __init__(self, settings: Settings, context_id: str) -> None:
        self._settings = settings
        self._context_id = context_id
        self._reader: LogReader | None = None

    def _open(self, until: Until | None = None) -> LogReader:
        if self._reader is None or self._reader.failed:
            self._reader = shared(self._context_id, "reader", lambda: LogReader(self._settings, until=until))
            set_rewind(self._context_id, self._reader.rewind)
        return self._reader

    def _next(self, reader: LogReader) -> Batch | None:
        with reported_failure(self._context_id):
            return reader.next(timeout=WAIT_SECONDS)

    def teardown(self) -> None:
        """Stop reading, unless the next pipeline reads on."""
        if self._reader is not None:
            release(self._context_id, self._reader)
            self._reader = None


class ReadToEnd(_LogReader):
    """worker -> batches, up to the end that the log had at the start."""

    def process(self, worker: int) -> Iterator[Batch]:
        """Read on until the end is reached."""
        reader = self._open(to_the_end)
        while not reader.finished and not context_of(self._context_id).stop.is_set():
            batch = self._next(reader)
            if batch is not None:
                yield batch


class BatchNumbers(RestrictionProvider):
    """The restriction of an endless read: the numbers of its batches."""

    def initial_restriction(self, element: int) -> OffsetRange:
        """All of them."""
        return OffsetRange(0, ENDLESS)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        """Count batches."""
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: int, restriction: OffsetRange) -> int:
        """The size of one call: a worker has no backlog that could be split."""
        return 1


TRACKER = beam.DoFn.RestrictionParam(BatchNumbers())
WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class ReadForever(_LogReader):
    """worker -> batches, as long as the stream runs; an unbounded, self-checkpointing splittable DoFn."""

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        worker: int,
        tracker: Any = TRACKER,  # noqa: ANN401 - Beam's own protocol
        watermark: Any = WATERMARK,  # noqa: ANN401 - Beam's own protocol
    ) -> Iterator[TimestampedValue]:
        """Hand on batches for a short while, then defer the rest to the runner.

        A batch's time in Beam is when it was handed on, and so is the watermark: nothing behind is ever late or held.
        When events happened is a matter of columns, not of Beam.
        """
        reader = self._open()
        stop = context_of(self._context_id).stop
        number = tracker.current_restriction().start
        hand_back_at = time.monotonic() + self._settings.landing.bundle_seconds
        handed_on_at = _now_not_before(watermark.current_watermark())
        while tracker.try_claim(ENDLESS if stop.is_set() else number):
            number += 1
            batch = self._next(reader)
            handed_on_at = _now_not_before(handed_on_at)
            if batch is not None:
                yield TimestampedValue(batch, handed_on_at)
            if time.monotonic() >= hand_back_at:
                watermark.set_watermark(handed_on_at)
                tracker.defer_remainder(Duration(0))
                return


def _now_not_before(earliest: Timestamp | None) -> Timestamp:
    """The wall clock as a watermark: it stands still while the clock is set back."""
    now = Timestamp.of(time.time())
    return now if earliest is None or now > earliest else earliest
