"""A landing stream in a thread of a test, and what it is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from beam_jobs.landing import stream
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK

PATIENCE_SECONDS = 90.0
SOON_SECONDS = 15.0
"""An orderly stop on a machine that does much else at the same time; it takes a tenth of a second on an idle one."""


def ratings(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Ratings with ids `r<start>` and on, of seven people."""
    return [
        {"kind": "rating", "id": f"r{n}", "user_id": str(n % 7), "item_id": str(n % 11), "value": 3, "scale": [1, 5]}
        for n in range(start, start + count)
    ]


def landed(settings: Settings) -> list[str]:
    """The ids in `feedback`, each as often as it is there."""
    lake = open_lake(settings)
    return sorted(lake.scan(FEEDBACK).select("id").collect()["id"]) if lake.exists(FEEDBACK) else []


def holds(settings: Settings) -> bool:
    """Whether the audit finds everything accounted for, up to the log's end."""
    log = open_log(settings.log)
    try:
        report = audit(open_lake(settings), log.name, bounds=log.bounds())
    finally:
        log.close()
    return report.holds and all(part.position == part.log_end for part in report.partitions)


def eventually(true: Callable[[], bool], *, every: float = 0.02) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(every)


@contextmanager
def streaming(settings: Settings, **more: Any) -> Iterator[Callable[[], float]]:
    """Stream until the block ends; yields how to stop before, which tells how many seconds that took."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            stream(settings, stop, **more)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> float:
        started = time.monotonic()
        stop.set()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the stream did not stop"
        return time.monotonic() - started

    try:
        yield end
    finally:
        end()
    assert not failed, failed


def first_event_seconds(settings: Settings, *, empty_seconds: float) -> float:
    """Seconds from the append of the first event, after a time in which the log was empty, to its commit."""
    intake = open_intake(settings)
    seen_at: list[float] = []
    with streaming(settings, on_progress=lambda _: seen_at.append(time.monotonic())):
        eventually(lambda: open_lake(settings).exists(FEEDBACK))  # the commit stage has made it: the stream runs
        time.sleep(empty_seconds)  # the emptiness is what is tested
        assert not seen_at
        appended_at = time.monotonic()
        intake.submit(ratings(1))
        eventually(lambda: bool(seen_at), every=0.002)
    return seen_at[0] - appended_at
