"""The end of the chain in Beam: drop what landed before, commit exactly once, tell the online store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics

from beam_jobs.batch import Batch
from beam_jobs.deduplicate import deduplicate
from beam_jobs.in_process import caller_of
from beam_jobs.landed_ids import LandedIds
from feedback.log import open_log
from feedback.settings import Settings
from lakehouse.commit import LandingCommitter, no_faults
from lakehouse.lake import open_lake
from lakehouse.online import catch_up, open_online_store

NAMESPACE = "landing"
FAULT_VARIABLE = "HEED_FAULT_POINT"
"""Names a point of the commit at which the process kills itself; for crash tests only."""


class Deduplicate(beam.DoFn):
    """Batch -> Batch without events that landed before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._landed: LandedIds | None = None

    def process(self, batch: Batch) -> Iterator[Batch]:
        """Part off repeats; the ids of the window are read on the first batch and when the day changes."""
        today = batch.events["landed_on"].max() if batch.events.height else None
        if self._landed is None:
            self._landed = LandedIds(self._settings.dedup_window_days)
        if today is not None and self._landed.needs_reload(today):  # type: ignore[arg-type]
            self._landed.load(open_lake(self._settings), today)  # type: ignore[arg-type]
        yield deduplicate(batch, self._landed)


class Commit(beam.DoFn):
    """Batch -> the same batch, committed; tables first, online store after."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._done = 0
        self._elapsed = Metrics.distribution(NAMESPACE, "committed_at_ms")

    def setup(self) -> None:
        """Open the tables and the online store; push what a crash kept from it."""
        log = open_log(self._settings)
        lake = open_lake(self._settings)
        fault = crash_at(os.environ.get(FAULT_VARIABLE, "")) if FAULT_VARIABLE in os.environ else no_faults
        self._committer = LandingCommitter(lake, log.name, log.partitions, fault=fault)
        self._committer.positions()
        self._store = open_online_store(self._settings)
        catch_up(self._store, lake, log.name, log.partitions)
        log.close()
        self._elapsed.update(_milliseconds())

    def process(self, batch: Batch) -> Iterator[Batch]:
        """Commit one batch, and hand on what is committed now."""
        ready = batch.to_commit()
        if self._committer.commit(ready, at=datetime.now(UTC)):
            Metrics.counter(NAMESPACE, "landed").inc(ready.feedback.num_rows)
            Metrics.counter(NAMESPACE, "batches").inc()
            for refused in batch.refused:
                for code, count in refused.group_by("code").len().iter_rows():
                    Metrics.counter(NAMESPACE, f"code:{code}").inc(count)
        self._store.push(batch.events.select(pl.exclude("line", "appended_at")), dict(batch.end))
        self._elapsed.update(_milliseconds())
        count = ready.feedback.num_rows + ready.quarantine.num_rows
        self._done += count
        caller_of(self._token).on_progress(self._done)
        yield batch

    def teardown(self) -> None:
        """Close the online store."""
        if hasattr(self, "_store"):
            self._store.close()


class crash_at:  # noqa: N801 - reads as a verb where it is used
    """A fault hook that ends the process without any clean-up at `POINT:COUNT`, as `kill -9` would."""

    def __init__(self, where: str) -> None:
        point, _, count = where.partition(":")
        self._point = point
        self._left = int(count or 1)

    def __call__(self, point: str) -> None:
        """Count a pass of the point; at the last one, end the process."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), 9)


def _milliseconds() -> int:
    return int(time.time() * 1000)
