"""Live windows in Beam: a composite behind the commit, the same on every runner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import apache_beam as beam
import pyarrow as pa

from beam_jobs.batch import Batch
from beam_jobs.followers.background_worker import BackgroundWorker, Pause
from beam_jobs.followers.windows.sink import WindowSink, committed_positions
from beam_jobs.followers.windows.window import NEEDED
from beam_jobs.runner.monitor import WINDOW_FAILURES
from beam_jobs.runner.pipeline_context import reported_failure
from feedback.errors import HeedError
from feedback.settings.home import Settings

LOGGER = logging.getLogger("heed.signals")
STORE_ERRORS = (HeedError, OSError, pa.ArrowException)
"""What a store or a lake that does not answer raises, a full disk among it."""
BATCHES_AHEAD = 4
"""Batches that may wait to be counted, some 8 MB each: writing windows takes as long as landing a few of them."""


class LiveWindows(beam.PTransform):
    """Committed batches -> nothing; the windows are in the online store and in the `signals` table."""

    def __init__(self, settings: Settings, context_id: str) -> None:
        super().__init__()
        self._settings = settings
        self._context_id = context_id

    def expand(self, committed: beam.PCollection) -> beam.PCollection:
        """Wire it behind the commit."""
        return committed | "CountWindows" >> beam.ParDo(CountWindows(self._settings, self._context_id))


class CountWindows(beam.DoFn):
    """Counts batches as they are committed; writes every few seconds, at bundle ends and at the end.

    All of it happens in a thread beside the chain, one thing after the other: nothing waits for windows, whose store
    says by itself up to where they count. Windows never stop landing: not at its start, not by a damaged table, not by
    a mistake of our own. Those that cannot be read or written are opened anew after a pause, and what they missed is
    counted from the lake.
    """

    def __init__(self, settings: Settings, context_id: str) -> None:
        self._settings = settings
        self._context_id = context_id
        self._sink: WindowSink | None = None
        self._since: Mapping[int, int] = {}
        """The positions before this pipeline's first commit; partitions without any window are counted from there."""

    def setup(self) -> None:
        """Open the store before anything is committed; count what a crash kept from it."""
        self._beside, self._pause = BackgroundWorker("live-windows", at_most=BATCHES_AHEAD), Pause()
        self._do(lambda _: None)
        if self._sink is None:
            with reported_failure(self._context_id):
                self._since = committed_positions(self._settings)

    def process(self, batch: Batch) -> None:
        """Count one batch; waits only while `BATCHES_AHEAD` others do."""
        light = batch.only((*NEEDED, "log_offset"))
        self._start(lambda sink: sink.process(light, now=datetime.now(UTC)))

    def finish_bundle(self) -> None:
        """A quiet stream ends a bundle every second, and this is when its last events show."""
        if self._beside.is_idle:
            self._start(lambda sink: sink.flush_if_due(datetime.now(UTC)))

    def teardown(self) -> None:
        """Write what waits, and what an error kept from being counted."""
        if hasattr(self, "_beside"):
            self._beside.close()
            if self._pause.is_owed:
                self._do(lambda _: None)
            self._close()

    def _start(self, action: Callable[[WindowSink], None]) -> None:
        self._beside.start(lambda: self._do(action) if self._pause.is_over else None)

    def _do(self, action: Callable[[WindowSink], None]) -> None:
        try:
            if self._sink is None:
                self._sink = WindowSink.open(self._settings, now=datetime.now(UTC), since=self._since)
                self._pause.end()
            action(self._sink)
        except STORE_ERRORS as error:
            LOGGER.warning("live windows are counted again from the lake; landing goes on: %s", error)
            WINDOW_FAILURES.inc()
            self._pause.begin()
            self._abandon()
        except Exception:
            LOGGER.exception("live windows are counted again from the lake; landing goes on")
            WINDOW_FAILURES.inc()
            self._pause.begin(mistake=True)
            self._abandon()

    def _abandon(self) -> None:
        """Forget what is in memory: after an error nobody knows how much of it is counted."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()

    def _close(self) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            sink.close(datetime.now(UTC))
        except Exception as error:
            LOGGER.warning("live windows: the last flush is made up for at the next start", exc_info=error)
