"""Observability of landing: Prometheus metrics, log lines with positions, spans.

The figures are the process's own; `heed land --stream --metrics-port` serves them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import polars as pl
import prometheus_client as prometheus
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from beam_jobs.batch import Batch
from feedback.errors import Code
from feedback.log.tracing import landing

LOGGER = logging.getLogger("heed.landing")
TELL_SECONDS = 10.0
"""How often a busy landing writes a line; each commit has one at the level DEBUG."""

BATCH_BUCKETS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000)
COMMIT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FRESHNESS_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3600.0)

EVENTS = prometheus.Counter("heed_landing_events", "Events by what became of them", ["verdict", "code"])
FINDINGS = prometheus.Counter(
    "heed_landing_findings", "What landing's stages found in committed batches, as redaction by type", ["stage", "what"]
)
BATCH_EVENTS = prometheus.Histogram("heed_landing_batch_events", "Events per commit", buckets=BATCH_BUCKETS)
COMMIT_SECONDS = prometheus.Histogram("heed_landing_commit_seconds", "Time of a commit", buckets=COMMIT_BUCKETS)
STALE = prometheus.Counter("heed_landing_stale_batches", "Batches dropped because another worker was first")
RESTARTS = prometheus.Counter("heed_landing_restarts", "Times that landing started again after an error")
PUSH_FAILURES = prometheus.Counter("heed_landing_push_failures", "Times that the online store did not take a commit")
WINDOW_FAILURES = prometheus.Counter(
    "heed_landing_window_failures", "Times that live windows could not be read or written"
)
LAG_RECORDS = prometheus.Gauge("heed_landing_lag_records", "Records in the log behind the last one read", ["partition"])
LAG_SECONDS = prometheus.Gauge(
    "heed_landing_lag_seconds", "Age of the last record read where more are waiting, else 0", ["partition"]
)


class BulkHistogram(Collector):
    """A Prometheus histogram that observes a whole batch at once."""

    def __init__(self, name: str, documentation: str, *, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1, dtype=np.int64)
        self._sum = 0.0
        prometheus.REGISTRY.register(self)

    def observe(self, values: np.ndarray) -> None:
        """Observe values."""
        self._counts += np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._counts))
        self._sum += float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The figure as Prometheus reads it: counts up to each bound."""
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, self._counts.cumsum().tolist(), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


FRESHNESS = BulkHistogram(
    "heed_landing_freshness_seconds", "From the append to the log to the commit, per event", bounds=FRESHNESS_BUCKETS
)


class Monitor:
    """Metrics and log lines of one worker's commits."""

    def __init__(self, *, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._timer = timer
        self._told_at = timer()
        self._tally: Tally[str] = Tally()
        self._slowest = 0.0

    @contextmanager
    def committing(self, batch: Batch) -> Iterator[None]:
        """A span and a stop-watch around a commit that succeeds."""
        attributes = {f"heed.position.{partition}": end for partition, end in batch.end.items()}
        began = self._timer()
        with landing(batch.traces, attributes):
            yield
        seconds = self._timer() - began
        COMMIT_SECONDS.observe(seconds)
        self._slowest = max(self._slowest, seconds)
        LOGGER.debug("committed", extra={"positions": dict(batch.end), "seconds": round(seconds, 4)})

    def landed(self, batch: Batch) -> None:
        """Count what a commit of ours brought."""
        landed = batch.events.height
        doubted = batch.doubted
        EVENTS.labels("landed", "").inc(landed - doubted)
        if doubted:
            EVENTS.labels("landed", str(Code.LOG_TIME)).inc(doubted)
            self._tally[str(Code.LOG_TIME)] += doubted
        self._tally["landed"] += landed
        for code, count in batch.codes().items():
            verdict = code if code in batch.others or code == Code.DUPLICATE else "quarantined"
            EVENTS.labels(verdict, code).inc(count)
            self._tally[code] += count
        for (stage, what), found in batch.findings.items():
            FINDINGS.labels(stage, what).inc(found)
        BATCH_EVENTS.observe(sum(batch.counts().values()))
        if landed:
            appended = batch.events.select(pl.col("appended_at").dt.epoch("ms")).to_series().to_numpy()
            FRESHNESS.observe(np.maximum(self._clock() - appended / 1000, 0.0))
        self._tally["batches"] += 1
        self._tell(batch)

    def stale(self, batch: Batch, why: Exception) -> None:
        """Report a batch that was dropped because another worker was first."""
        STALE.inc()
        LOGGER.info("a batch came too late: %s", why, extra={"start": dict(batch.start), "end": dict(batch.end)})

    def _tell(self, batch: Batch) -> None:
        now = self._timer()
        if now - self._told_at < TELL_SECONDS:
            return
        LOGGER.info(
            "landing",
            extra={
                **self._tally,
                "positions": dict(batch.end),
                "slowest_commit_seconds": round(self._slowest, 3),
                "seconds": round(now - self._told_at, 1),
            },
        )
        self._told_at, self._slowest = now, 0.0
        self._tally.clear()


def tell_lag(bounds: Mapping[int, tuple[int, int]], read: Mapping[int, int], ages: Mapping[int, float]) -> None:
    """Set the lag of a worker's partitions.

    Args:
        bounds: First and next offset of every partition of the log.
        read: Up to where this worker has read, for its partitions.
        ages: Seconds since the last record that was read was appended, where one was.
    """
    for partition in bounds:
        if partition not in read:  # another worker's
            LAG_RECORDS.labels(partition).set(0)
            LAG_SECONDS.labels(partition).set(0)
            continue
        behind = bounds[partition][1] - read[partition]
        LAG_RECORDS.labels(partition).set(behind)
        LAG_SECONDS.labels(partition).set(ages.get(partition, 0.0) if behind > 0 else 0.0)
