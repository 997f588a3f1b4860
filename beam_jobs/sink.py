"""The sink of the Beam chain: drop what landed before, commit exactly once. Followers come after it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from beam_jobs.batch import Batch
from beam_jobs.runner.fault_points import fault_point
from beam_jobs.runner.monitor import Monitor
from beam_jobs.runner.pipeline_context import context_of, reported_failure, rewind_of, shared
from beam_jobs.stages.deduplication.deduplicate import deduplicate
from beam_jobs.stages.deduplication.landed_ids import LandedIds
from feedback.errors import StalePosition
from feedback.intake import utc_now
from feedback.settings.home import Settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.landed.continuity import open_landed_log

NAMESPACE = "landing"
EXPECTED_IDS = 2_500_000
"""Known ids that a worker has room for from the start, in 64 MiB; beyond, memory grows with the window."""


class Deduplicate(beam.DoFn):
    """Batch -> Batch without events that landed before."""

    def __init__(self, settings: Settings, context_id: str) -> None:
        self._settings = settings
        self._context_id = context_id

    def setup(self) -> None:
        """Take over the known ids of the pipeline before; without one, ids are read with a partition's first batch."""
        self._lake = open_lake(self._settings)
        self._loading_ms = Metrics.counter(NAMESPACE, "loading_ms")
        self._landed = shared(self._context_id, "landed ids", self._nothing_landed)

    def _nothing_landed(self) -> LandedIds:
        expected = EXPECTED_IDS // self._settings.log.partitions
        return LandedIds(self._settings.landing.dedup_window_days, expected=expected)

    def process(self, batch: Batch) -> Iterator[Batch]:
        """Reject repeats."""
        if batch.is_takeover:
            yield batch
            return
        began = time.perf_counter()
        with reported_failure(self._context_id):
            self._landed.prepare(self._lake, batch.start, batch.days)
        self._loading_ms.inc(int(1000 * (time.perf_counter() - began)))
        yield deduplicate(batch, self._landed)


class Commit(beam.DoFn):
    """Batch -> the same batch, committed; one without records comes through as it is."""

    def __init__(self, settings: Settings, context_id: str) -> None:
        self._settings = settings
        self._context_id = context_id
        self._done = 0
        self._span_ms = Metrics.distribution(NAMESPACE, "span_ms")

    def setup(self) -> None:
        """Open the tables."""
        with reported_failure(self._context_id):
            self._open()

    def _open(self) -> None:
        self._monitor = Monitor()
        log = open_landed_log(self._settings)
        lake = open_lake(self._settings)
        self._committer = LandingCommitter(lake, log.name, log.partitions, fault=fault_point())
        self._committer.positions()
        log.close()

    def process(self, batch: Batch) -> Iterator[Batch]:
        """Commit one batch and pass it on; an error is recorded in the pipeline's context."""
        with reported_failure(self._context_id):
            yield from self._commit(batch)

    def _commit(self, batch: Batch) -> Iterator[Batch]:
        """Commit one batch, or drop it where another worker was first; then reading starts again."""
        if batch.is_takeover:  # the worker before may have died between two commits, or before the followers
            self._committer.take_over(batch.start)
            yield batch
            return
        ready = batch.to_commit()
        rewind = rewind_of(self._context_id)
        try:
            with self._monitor.committing(batch):
                is_ours = self._committer.commit(ready, at=utc_now())
        except StalePosition as error:
            self._monitor.stale(batch, error)
            if rewind is None:  # the reader is in another process: the runner retries the bundle, which reads again
                raise
            Metrics.counter(NAMESPACE, "stale").inc()
            rewind(batch.generation)
            return
        if is_ours:
            self._count(batch)
            self._monitor.landed(batch)
            self._done += sum(batch.counts().values())
            context_of(self._context_id).on_progress(self._done)
        # To the followers, at once: what is in the table now, whatever this worker's stages say of it.
        yield batch.without(self._committer.left_out) if is_ours else batch.landed_by_another()
        self._span_ms.update(int(batch.polled_at * 1000))
        self._span_ms.update(int(utc_now().timestamp() * 1000))

    def _count(self, batch: Batch) -> None:
        Metrics.counter(NAMESPACE, "landed").inc(batch.events.height)
        Metrics.counter(NAMESPACE, "batches").inc()
        Metrics.counter(NAMESPACE, "doubted").inc(batch.doubted)
        for (stage, what), found in batch.findings.items():
            Metrics.counter(NAMESPACE, f"stage:{stage}:{what}").inc(found)
        for code, count in batch.codes().items():
            Metrics.counter(NAMESPACE, f"code:{code}").inc(count)
