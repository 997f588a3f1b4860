"""Run landing: drain the log up to its end, or stream it until told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from beam_jobs.runner.landed_counts import count_between
from beam_jobs.runner.memory import fewer_collections, give_back_memory, keep_heaps_small
from beam_jobs.runner.monitor import RESTARTS
from beam_jobs.runner.pipeline_context import OnProgress, PipelineContext, context_of, ignore_progress, registered
from beam_jobs.runner.runners import is_embedded
from beam_jobs.source.heartbeat import Beat
from feedback.errors import LakeError, LogError, LogGap, ServiceError
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.continuity import open_landed_log

LOGGER = logging.getLogger("heed.landing")
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 10.0
PASS_ON_SECONDS = 0.05


class LandingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one drain did; `batches` is 0 where the runner does not count, and `seconds` then includes start-up."""

    landed: int
    duplicates: int
    quarantined: int
    codes: dict[str, int]
    batches: int
    seconds: float
    startup_seconds: float
    loading_seconds: float
    """Of `seconds`, the time to read the ids of rows that had landed before."""
    positions: dict[int, int]
    doubted: int = 0
    """Of `landed`, events of records whose log time is out of bounds."""
    found: dict[str, int] = {}
    """Counts of findings, such as `redact:phone`; empty where the runner does not count."""

    @property
    def events(self) -> int:
        """Events that were read."""
        return self.landed + self.duplicates + self.quarantined

    @property
    def events_per_second(self) -> float:
        """After start-up."""
        return self.events / self.seconds if self.seconds > 0 else 0.0


def waiting_events(settings: Settings) -> int:
    """About how many records the log holds beyond the committed positions."""
    log = open_landed_log(settings)
    try:
        positions = open_lake(settings).positions(log.name, log.partitions)
        return sum(end - positions.get(partition, 0) for partition, (_, end) in log.bounds().items())
    finally:
        log.close()


def drain(settings: Settings, *, on_progress: OnProgress = ignore_progress) -> LandingReport:
    """Land everything that the log holds now, and return.

    On the embedded runner the report counts what this drain did; on others, what the tables gained meanwhile, which
    includes what another worker landed.

    Raises:
        LogGap: The log no longer holds the committed position.
        LakeError: The tables cannot be written.
        ServiceError: The runner failed or cannot be reached; or everything landed, and the online store was not told.
    """
    started = time.time()
    log = open_landed_log(settings)
    try:
        lake = open_lake(settings)
        before = lake.positions(log.name, log.partitions)
        context = PipelineContext(on_progress=on_progress)
        with registered(context) as context_id:
            counters, span = _run(settings, context_id, streaming=False)
        if context.failure is not None:  # everything landed, but a follower failed
            raise context.failure
        positions = lake.positions(log.name, log.partitions)
    finally:
        log.close()
    landed, codes = _landed(counters) if is_embedded(settings.beam) else count_between(lake, before, positions)
    now = time.time()
    untold = (started if landed or codes else now, now)
    first, last = untold if span is None else (span[0] / 1000, span[1] / 1000)
    return LandingReport(
        landed=landed,
        duplicates=codes.get("duplicate", 0),
        quarantined=sum(n for code, n in codes.items() if code != "duplicate"),
        codes=codes,
        batches=counters.get("batches", 0),
        seconds=last - first,
        loading_seconds=counters.get("loading_ms", 0) / 1000,
        startup_seconds=max(0.0, first - started),
        positions=positions,
        doubted=counters.get("doubted", 0),
        found=_found(counters) if is_embedded(settings.beam) else {},
    )


def _landed(counters: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """How many rows landed, and how many events were refused by code, from the job's counters."""
    codes = {name.removeprefix("code:"): n for name, n in sorted(counters.items()) if name.startswith("code:")}
    return counters.get("landed", 0), codes


def _found(counters: Mapping[str, int]) -> dict[str, int]:
    return {name.removeprefix("stage:"): n for name, n in sorted(counters.items()) if name.startswith("stage:")}


def stream(settings: Settings, stop: threading.Event, *, on_progress: OnProgress = ignore_progress) -> None:
    """Land events as they come until `stop` is set.

    The embedded runner keeps some memory of every bundle, so there a fresh pipeline takes over every
    `landing.roll_minutes`, and what the old one held goes back to the system; reader and known ids outlive it. On
    another runner the job runs until it is stopped. A log, a lake, an online store or a runner that does not answer is
    tried again.

    Raises:
        LogGap: The log no longer holds the committed position.
        SettingsError: The runner or its options do not exist.
    """
    context = PipelineContext(on_progress=on_progress)
    pause = RETRY_SECONDS
    roll_seconds = settings.landing.roll_minutes * 60 if is_embedded(settings.beam) else float("inf")
    with registered(context) as context_id:
        while not stop.is_set():
            context.stop, context.failure = threading.Event(), None
            began = time.monotonic()
            with _stopping(context.stop, stop, after_seconds=roll_seconds):
                try:
                    _run(settings, context_id, streaming=True)
                except (LogError, LakeError, ServiceError) as error:
                    if isinstance(error, LogGap):
                        raise
                    pause = RETRY_SECONDS if time.monotonic() - began > LONGEST_RETRY_SECONDS else pause
                    RESTARTS.inc()
                    LOGGER.warning("landing starts again in %.0f s from the committed positions: %s", pause, error)
                    context.close()
                    stop.wait(pause)
                    pause = min(2 * pause, LONGEST_RETRY_SECONDS)
            give_back_memory()
    Beat(settings.paths.landing_beat_file).end()


@contextmanager
def _stopping(inner: threading.Event, outer: threading.Event, *, after_seconds: float) -> Iterator[None]:
    """Set the inner event with the outer one, or after a time."""
    until = time.monotonic() + after_seconds

    def pass_on() -> None:
        while not inner.wait(PASS_ON_SECONDS):
            if outer.is_set() or time.monotonic() >= until:
                inner.set()

    watcher = threading.Thread(target=pass_on, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        inner.set()
        watcher.join()


def _run(settings: Settings, context_id: str, *, streaming: bool) -> tuple[dict[str, int], tuple[int, int] | None]:
    from beam_jobs.pipeline import build_landing, drain_source, open_pipeline, stream_source
    from beam_jobs.runner.job import measured, run_job
    from beam_jobs.sink import NAMESPACE

    pipeline = open_pipeline(settings.beam, streaming=streaming)
    source = stream_source(settings, context_id) if streaming else drain_source(settings, context_id)
    build_landing(pipeline, source, settings, context_id)
    keep_heaps_small()
    with fewer_collections():
        result = run_job(pipeline, context_of(context_id), context_id, runner=settings.beam.runner)
    return ({}, None) if streaming else measured(result, NAMESPACE)
