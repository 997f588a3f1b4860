"""One landing worker, as a process that may die at any moment."""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import threading
from datetime import UTC, datetime, timedelta

from beam_jobs.runner.fault_points import FAULT_VARIABLE
from bench.killing.odd import keep_producers_times
from feedback.settings.home import Settings


def land(settings: Settings, fault: str, shift: ctypes.c_double | None = None) -> None:
    """Stream the log of a home until asked to end.

    Args:
        settings: The home.
        fault: Where in a commit to die or stop (`beam_jobs.runner.fault_points`); empty: nowhere.
        shift: By how many seconds this process's clock is wrong.
    """
    from beam_jobs import sink
    from beam_jobs.landing import stream

    keep_producers_times()
    faulthandler.enable()
    logging.basicConfig(format=f"%(asctime)s {os.getpid()} %(name)s %(message)s", level=logging.INFO, force=True)
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    if fault:
        os.environ[FAULT_VARIABLE] = fault
    if shift is not None:
        sink.utc_now = lambda: shifted_now(shift)  # type: ignore[attr-defined]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stream(settings, stop)


def compact_and_checkpoint(settings: Settings) -> None:
    """What maintenance does to landing's tables, beside the workers; here, so that a kill hits the work itself."""
    from lakehouse.lake import open_lake
    from lakehouse.maintenance.plan import MEBIBYTE, OPEN_FILE_BYTES, Action, Retention, Work
    from lakehouse.maintenance.table import perform, read_statistics
    from lakehouse.tables.feedback import FEEDBACK
    from lakehouse.tables.quarantine import QUARANTINE

    lake, now = open_lake(settings), datetime.now(UTC)
    for spec in (FEEDBACK, QUARANTINE):
        if not lake.exists(spec):
            continue
        days = [part.day for part in read_statistics(lake, spec).partitions]
        compact = [Action(table=spec.name, work=Work.COMPACT, day=day, target_bytes=OPEN_FILE_BYTES) for day in days]
        for action in (*compact, Action(table=spec.name, work=Work.CHECKPOINT)):
            perform(
                lake,
                spec,
                action,
                Retention.of(settings.maintenance),
                now=now,
                cap=settings.maintenance.memory_mb * MEBIBYTE,
            )


def shifted_now(shift: ctypes.c_double) -> datetime:
    """The time on a clock that is wrong by so many seconds."""
    return datetime.now(UTC) + timedelta(seconds=shift.value)
