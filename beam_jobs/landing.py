"""Run landing: drain the log up to its end, or stream it until told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from beam_jobs.in_process import Caller, OnProgress, caller_of, calling, ignore_progress
from beam_jobs.monitor import RESTARTS
from feedback.errors import LakeError, LogError, LogGap, ServiceError
from feedback.settings import Settings
from lakehouse.continuity import open_landed_log
from lakehouse.lake import open_lake

LOGGER = logging.getLogger("heed.landing")
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 10.0
PASS_ON_SECONDS = 0.05


class LandingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one drain did."""

    landed: int
    duplicates: int
    quarantined: int
    codes: dict[str, int]
    batches: int
    seconds: float
    startup_seconds: float
    loading_seconds: float
    """Of `seconds`, what went into reading the ids of rows that had landed before."""
    positions: dict[int, int]

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

    Raises:
        LogGap: The log no longer holds the committed position.
        LakeError: The tables cannot be written.
    """
    started = time.time()
    with calling(Caller(on_progress=on_progress)) as token:
        counters, (first_ms, last_ms) = _run(settings, token, streaming=False)
    codes = {name.removeprefix("code:"): n for name, n in sorted(counters.items()) if name.startswith("code:")}
    log = open_landed_log(settings)
    positions = open_lake(settings).positions(log.name, log.partitions)
    log.close()
    return LandingReport(
        landed=counters.get("landed", 0),
        duplicates=codes.get("duplicate", 0),
        quarantined=sum(n for code, n in codes.items() if code != "duplicate"),
        codes=codes,
        batches=counters.get("batches", 0),
        seconds=(last_ms - first_ms) / 1000,
        loading_seconds=counters.get("loading_ms", 0) / 1000,
        startup_seconds=max(0.0, first_ms / 1000 - started),
        positions=positions,
    )


def stream(settings: Settings, stop: threading.Event, *, on_progress: OnProgress = ignore_progress) -> None:
    """Land events as they come until `stop` is set.

    The embedded runner keeps some memory of every bundle, so a fresh pipeline takes over every
    `landing_roll_minutes`; reader and known ids outlive it. A log, a lake or an online store that does not answer is
    tried again.

    Raises:
        LogGap: The log no longer holds the committed position.
    """
    caller = Caller(on_progress=on_progress)
    pause = RETRY_SECONDS
    with calling(caller) as token:
        while not stop.is_set():
            caller.stop, caller.failure = threading.Event(), None
            began = time.monotonic()
            with _stopping(caller.stop, stop, after_seconds=settings.landing_roll_minutes * 60):
                try:
                    _run(settings, token, streaming=True)
                except (LogError, LakeError, ServiceError) as error:
                    if isinstance(error, LogGap):
                        raise
                    pause = RETRY_SECONDS if time.monotonic() - began > LONGEST_RETRY_SECONDS else pause
                    RESTARTS.inc()
                    LOGGER.warning("landing starts again in %.0f s from the committed positions: %s", pause, error)
                    caller.close()
                    stop.wait(pause)
                    pause = min(2 * pause, LONGEST_RETRY_SECONDS)


@contextmanager
def _stopping(inner: threading.Event, outer: threading.Event, *, after_seconds: float) -> Iterator[None]:
    """Set the inner event with the outer one, or after a time."""

    def pass_on() -> None:
        while not inner.wait(PASS_ON_SECONDS):
            if outer.is_set():
                inner.set()

    timer = threading.Timer(after_seconds, inner.set)
    watcher = threading.Thread(target=pass_on, daemon=True)
    timer.daemon = True
    timer.start()
    watcher.start()
    try:
        yield
    finally:
        timer.cancel()
        inner.set()
        watcher.join()


def _run(settings: Settings, token: str, *, streaming: bool) -> tuple[dict[str, int], tuple[int, int]]:
    quiet()  # before Beam is imported, which has things to say
    from beam_jobs.pipeline import build_landing, drain_source, open_pipeline, stream_source
    from beam_jobs.sink import NAMESPACE

    pipeline = open_pipeline(settings, streaming=streaming)
    source = stream_source(settings, token) if streaming else drain_source(settings, token)
    build_landing(pipeline, source, settings, token)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        failure = caller_of(token).failure
        if failure is None:
            raise
        raise failure from error
    measured = result.metrics().query()
    counters = {m.key.metric.name: int(m.result) for m in measured["counters"] if m.key.metric.namespace == NAMESPACE}
    spans = [m.result for m in measured["distributions"] if m.key.metric.namespace == NAMESPACE]
    span = (int(spans[0].min), int(spans[0].max)) if spans else (0, 0)
    return counters, span


def _needs_no_google_cloud(record: logging.LogRecord) -> bool:
    """Beam warns on import that it could not talk to Google's cloud, which nobody asked it to."""
    return not str(record.msg).startswith("apitools not found")


def quiet() -> None:
    """Keep Beam's notices about its own optimizations off the screen; warnings and errors stay."""
    logging.getLogger().addFilter(_needs_no_google_cloud)
    for name in ("apache_beam.runners", "apache_beam.options", "apache_beam.internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
