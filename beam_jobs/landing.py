"""Run landing: drain the log up to its end, or stream it until told to stop."""

from __future__ import annotations

import logging
import threading
import time

import msgspec

from beam_jobs.in_process import Caller, OnProgress, calling, ignore_progress
from feedback.errors import StalePosition
from feedback.log import open_log
from feedback.settings import Settings
from lakehouse.lake import open_lake

LOGGER = logging.getLogger("heed.landing")
RETRY_SECONDS = 1.0


class LandingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one drain did."""

    landed: int
    duplicates: int
    quarantined: int
    codes: dict[str, int]
    batches: int
    seconds: float
    startup_seconds: float
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
    log = open_log(settings)
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
    counters, (first_ms, last_ms) = _run(settings, Caller(on_progress=on_progress), streaming=False)
    codes = {name.removeprefix("code:"): n for name, n in sorted(counters.items()) if name.startswith("code:")}
    log = open_log(settings)
    positions = open_lake(settings).positions(log.name, log.partitions)
    log.close()
    return LandingReport(
        landed=counters.get("landed", 0),
        duplicates=codes.get("duplicate", 0),
        quarantined=sum(n for code, n in codes.items() if code != "duplicate"),
        codes=codes,
        batches=counters.get("batches", 0),
        seconds=(last_ms - first_ms) / 1000,
        startup_seconds=max(0.0, first_ms / 1000 - started),
        positions=positions,
    )


def stream(settings: Settings, stop: threading.Event, *, on_progress: OnProgress = ignore_progress) -> None:
    """Land events as they come until `stop` is set.

    The embedded runner keeps some memory of every bundle, so a fresh pipeline takes over every
    `landing_roll_minutes`; the Delta log resumes it where the old one ended.
    """
    while not stop.is_set():
        caller = Caller(on_progress=on_progress)
        rolled = threading.Timer(settings.landing_roll_minutes * 60, caller.stop.set)
        watcher = threading.Thread(target=_pass_on, args=(stop, caller.stop), daemon=True)
        rolled.daemon = True
        rolled.start()
        watcher.start()
        try:
            _run(settings, caller, streaming=True)
        except Exception as error:
            if not _is_stale(error):
                raise
            LOGGER.warning("another worker moved on; reading again from the committed positions: %s", error)
            stop.wait(RETRY_SECONDS)
        finally:
            rolled.cancel()
            caller.stop.set()


def _pass_on(stop: threading.Event, inner: threading.Event) -> None:
    while not inner.is_set():
        if stop.wait(0.05):
            inner.set()


def _is_stale(error: BaseException) -> bool:
    """Whether a stale position is behind an error, which Beam wraps in its own words."""
    return isinstance(error, StalePosition) or StalePosition.__name__ in repr(error)


def _run(settings: Settings, caller: Caller, *, streaming: bool) -> tuple[dict[str, int], tuple[int, int]]:
    quiet()  # before Beam is imported, which has things to say
    from beam_jobs.pipeline import build_landing, drain_source, open_pipeline, stream_source
    from beam_jobs.sink import NAMESPACE

    with calling(caller) as token:
        pipeline = open_pipeline(settings, streaming=streaming)
        source = stream_source(settings, token) if streaming else drain_source(settings, token)
        build_landing(pipeline, source, settings, token)
        result = pipeline.run()
        result.wait_until_finish()
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
