"""The loop as a job, and what starts it: a nightly schedule, and a sensor that counts new feedback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from dagster_project.defs.resources import HeedHome
from dagster_project.instance import LOOP_TAG
from dagster_project.lib.stages import UPKEEP
from dagster_project.lib.starting import Wait
from dagster_project.loop_due import decide
from dagster_project.past_runs import LOOP
from feedback.settings.home import load_settings

LOOK_EVERY_SECONDS = 30
NIGHTLY_THRESHOLD = 1
"""The nightly run needs one new event; the sensor waits for `learning.after_events`."""


@dg.definitions
def loop() -> dg.Definitions:
    """The job over every asset and check but maintenance, its schedule and its sensor.

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
        cron_schedule=settings.learning.nightly_cron,
        execution_timezone=settings.learning.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Learn once a night, if anything new has arrived, however lately the loop ran.",
    )
    def nightly_loop(context: dg.ScheduleEvaluationContext, heed: HeedHome) -> dg.RunRequest | dg.SkipReason:
        now = datetime.now(UTC)
        decision = decide(heed.settings, context.instance, threshold=NIGHTLY_THRESHOLD, now=now, paced=False)
        if isinstance(decision, Wait):
            return dg.SkipReason(decision.reason)
        return dg.RunRequest(run_key=f"nightly {context.scheduled_execution_time:%Y-%m-%d}")

    @dg.sensor(
        name="enough_new_feedback",
        job=job,
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Learn as soon as {settings.learning.after_events:,} new events have arrived, at most every "
        f"{settings.learning.pause_minutes:g} minutes; a run that failed is tried again, later each time.",
    )
    def enough_new_feedback(
        context: dg.SensorEvaluationContext, heed: HeedHome
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        told = heed.settings
        now = datetime.now(UTC)
        decision = decide(told, context.instance, threshold=told.learning.after_events, now=now)
        if isinstance(decision, Wait):
            yield dg.SkipReason(decision.reason)
            return
        context.log.info(decision.reason)
        context.update_cursor(decision.cursor)
        yield dg.RunRequest(run_key=decision.run_key)

    return dg.Definitions(jobs=[job], schedules=[nightly_loop], sensors=[enough_new_feedback])
