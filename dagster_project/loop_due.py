"""Look whether the loop is due: what has arrived, what runs already, how past runs went."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.lib.starting import Feedback, Pace, Start, Wait, decide_start, failures_since
from dagster_project.lock import holder
from dagster_project.past_runs import IN_PROGRESS, LOOP, bury_lost_runs, ended_runs, learned
from feedback.settings.home import Settings
from lakehouse.landed.positions import Positions

if TYPE_CHECKING:
    from feedback.log.port import FeedbackLog
    from lakehouse.lake import Lake


def look(settings: Settings, known: Positions, *, enough: int) -> Feedback:
    """Count what has arrived since the loop last learned.

    Args:
        settings: Of the home.
        known: How far the loop has learned.
        enough: Waiting events are counted no further than this.
    """
    from lakehouse.lake import open_lake
    from lakehouse.landed.continuity import open_landed_log

    lake = open_lake(settings)
    log = open_landed_log(settings)
    try:
        bounds = log.bounds()
        committed = lake.positions(log.name, len(bounds))
        starts = {p: max(first, committed.get(p, 0)) for p, (first, _) in bounds.items()}
        waiting = count_waiting(log, starts, enough=enough)
    finally:
        log.close()
    return Feedback(
        log_ends={partition: end for partition, (_, end) in bounds.items()},
        landed=count_landed(lake, known, partitions=len(bounds)),
        waiting=waiting,
    )


def count_landed(lake: Lake, known: Positions, *, partitions: int) -> int:
    """Events of `feedback` at or beyond these positions."""
    import polars as pl

    from lakehouse.tables.feedback import FEEDBACK

    if not lake.exists(FEEDBACK):
        return 0
    beyond = pl.any_horizontal(
        (pl.col("log_partition") == partition) & (pl.col("log_offset") >= known.get(partition, 0))
        for partition in range(partitions)
    )
    return int(lake.scan(FEEDBACK).filter(beyond).select(pl.len()).collect().item())


def count_waiting(log: FeedbackLog, starts: Positions, *, enough: int) -> int:
    """Events in the log from these positions on, counted until there are enough."""
    waiting = 0
    for partition, start in starts.items():
        offset = start
        while waiting < enough and (records := log.read(partition, offset, max_events=enough - waiting)):
            waiting += sum(record.count for record in records)
            offset = records[-1].offset + 1
    return waiting


def why_busy(settings: Settings, instance: dg.DagsterInstance, *, now: datetime) -> str | None:
    """Why no loop may be started now, in words."""
    if not Path(settings.home).is_dir():
        return f"there is no home at {settings.home} yet; `heed ingest FILE` or `heed up` makes it"
    held = holder(settings.paths.run_folder)
    if held is None:
        bury_lost_runs(instance, now=now)
    runs = instance.get_runs(dg.RunsFilter(job_name=LOOP, statuses=IN_PROGRESS), limit=1)
    if runs:
        return f"the loop is running already (run {runs[0].run_id[:8]})"
    return f"another loop works on this home ({held})" if held else None


def decide(
    settings: Settings, instance: dg.DagsterInstance, *, threshold: int, now: datetime, paced: bool = True
) -> Start | Wait:
    """Look, then decide.

    Args:
        settings: Of the home.
        instance: Where past runs stand.
        threshold: New events that start a run.
        now: The time, with a zone.
        paced: Whether the loop rests between two runs, and longer after failures.
    """
    busy = why_busy(settings, instance, now=now)
    if busy is not None:
        return Wait(busy)
    known, past = learned(instance), ended_runs(instance)
    return decide_start(
        look(settings, known.positions, enough=threshold),
        threshold=threshold,
        failures=failures_since(past, learned_by=known.run_id),
        last=past[0] if past else None,
        pace=Pace(now, timedelta(minutes=settings.learning.pause_minutes)) if paced else None,
    )
