"""The loop as a job, and what starts it: a nightly schedule, and a sensor that counts new feedback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.defs.resources import HeedHome
from dagster_project.instance import LOOP_TAG
from dagster_project.lock import holder
from dagster_project.stages import UPKEEP
from dagster_project.starting import (
    Feedback,
    Positions,
    Start,
    Wait,
    decide_start,
    learned_positions,
    positions_from,
)
from feedback.settings import Settings, load_settings

if TYPE_CHECKING:
    from feedback.log import FeedbackLog
    from lakehouse.lake import Lake

LOOP = "loop"
LEARNED_FROM = dg.AssetKey("interactions")
"""The asset whose positions say how far learning has come."""
LOOK_EVERY_SECONDS = 30
NIGHTLY_THRESHOLD = 1
"""The night learns from any new event; the day waits for `learn_after_events`."""

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def look(settings: Settings, instance: dg.DagsterInstance, *, enough: int, cursor: str | None = None) -> Feedback:
    """Count what has arrived since the loop last learned, or was last started by this cursor's owner.

    Args:
        settings: Of the home.
        instance: Where the last learning stands.
        enough: Waiting events are counted no further than this.
        cursor: Up to where the loop was last started.
    """
    from lakehouse.continuity import open_landed_log
    from lakehouse.lake import open_lake

    started = positions_from(cursor)
    lake = open_lake(settings)
    log = open_landed_log(settings)
    try:
        bounds = log.bounds()
        committed = lake.positions(log.name, len(bounds))
        starts = {p: max(first, committed.get(p, 0), started.get(p, 0)) for p, (first, _) in bounds.items()}
        waiting = count_waiting(log, starts, enough=enough)
    finally:
        log.close()
    return Feedback(
        log_ends={partition: end for partition, (_, end) in bounds.items()},
        landed=count_landed(lake, learned_positions(_learned(instance), started), partitions=len(bounds)),
        waiting=waiting,
    )


def count_landed(lake: Lake, known: Positions, *, partitions: int) -> int:
    """Events of `feedback` at or beyond these positions."""
    import polars as pl

    from lakehouse.tables import FEEDBACK

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


def why_busy(settings: Settings, instance: dg.DagsterInstance) -> str | None:
    """Why no loop may be started now, in words."""
    if not Path(settings.home).is_dir():
        return f"there is no home at {settings.home} yet; `heed ingest FILE` or `heed up` makes it"
    runs = instance.get_runs(dg.RunsFilter(job_name=LOOP, statuses=IN_PROGRESS), limit=1)
    if runs:
        return f"the loop is running already (run {runs[0].run_id[:8]})"
    held = holder(settings.run_folder)
    return f"another loop works on this home ({held})" if held else None


def decide(
    settings: Settings, instance: dg.DagsterInstance, *, threshold: int, cursor: str | None = None
) -> Start | Wait:
    """Look, then decide."""
    busy = why_busy(settings, instance)
    if busy is not None:
        return Wait(busy)
    return decide_start(look(settings, instance, enough=threshold, cursor=cursor), threshold=threshold)


def _learned(instance: dg.DagsterInstance) -> dict[int, int]:
    event = instance.get_latest_materialization_event(LEARNED_FROM)
    materialization = event.asset_materialization if event else None
    if materialization is None or "positions" not in materialization.metadata:
        return {}
    return positions_from(str(materialization.metadata["positions"].value))


@dg.definitions
def loop() -> dg.Definitions:
    """The job over every asset and check but upkeep, its schedule and its sensor.

    Both are on by default: they only start what passes the checks and the gate before anything is published, and
    they start nothing on a home without new feedback.
    """
    job = dg.define_asset_job(
        LOOP,
        selection=dg.AssetSelection.all() - dg.AssetSelection.groups(UPKEEP),
        description="Land, check, build features, learn, judge, publish: feedback in, a better bundle out.",
        tags={LOOP_TAG: "yes"},
        executor_def=dg.in_process_executor,
    )
    settings = load_settings()

    @dg.schedule(
        name="nightly_loop",
        job=job,
        cron_schedule=settings.nightly_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Learn once a night, if anything new has arrived.",
    )
    def nightly_loop(context: dg.ScheduleEvaluationContext, heed: HeedHome) -> dg.RunRequest | dg.SkipReason:
        decision = decide(heed.settings, context.instance, threshold=NIGHTLY_THRESHOLD)
        if isinstance(decision, Wait):
            return dg.SkipReason(decision.reason)
        return dg.RunRequest(run_key=f"nightly {context.scheduled_execution_time:%Y-%m-%d}")

    @dg.sensor(
        name="enough_new_feedback",
        job=job,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Learn as soon as {settings.learn_after_events:,} new events have arrived.",
    )
    def enough_new_feedback(
        context: dg.SensorEvaluationContext, heed: HeedHome
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        now = heed.settings
        decision = decide(now, context.instance, threshold=now.learn_after_events, cursor=context.cursor)
        if isinstance(decision, Wait):
            yield dg.SkipReason(decision.reason)
            return
        context.log.info(decision.reason)
        context.update_cursor(decision.cursor)
        yield dg.RunRequest(run_key=decision.run_key)

    return dg.Definitions(jobs=[job], schedules=[nightly_loop], sensors=[enough_new_feedback])
