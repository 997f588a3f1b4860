"""Live windows in Beam: a composite behind the commit, the same on every runner."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import apache_beam as beam

from beam_jobs.batch import Batch
from beam_jobs.signals.sink import WindowSink
from feedback.settings import Settings


class LiveWindows(beam.PTransform):
    """Committed batches -> nothing; the windows are in the online store and in the `signals` table."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, committed: beam.PCollection) -> beam.PCollection:
        """Wire it behind the commit."""
        return committed | "CountWindows" >> beam.ParDo(CountWindows(self._settings))


class CountWindows(beam.DoFn):
    """Counts batches as they are committed; writes every few seconds, at bundle ends and at the end.

    All of it happens in a thread beside the chain, one thing after the other: nothing waits for windows, whose store
    says by itself up to where they count.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._under_way: Future[None] | None = None

    def setup(self) -> None:
        """Open the store; count what a crash kept from it."""
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="live-windows")
        self._sink = WindowSink.open(self._settings, now=datetime.now(UTC))

    def process(self, batch: Batch) -> None:
        """Count one batch; waits only while the one before is being counted."""
        self._finish()
        self._under_way = self._beside.submit(self._sink.process, batch, now=datetime.now(UTC))

    def finish_bundle(self) -> None:
        """A quiet stream ends a bundle every second, and this is when its last events show."""
        if self._under_way is None or self._under_way.done():
            self._finish()
            self._under_way = self._beside.submit(self._sink.flush_if_due, datetime.now(UTC))

    def teardown(self) -> None:
        """Write what waits."""
        if hasattr(self, "_sink"):
            self._beside.shutdown()
            self._sink.close(datetime.now(UTC))

    def _finish(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()
