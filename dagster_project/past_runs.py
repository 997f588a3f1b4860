"""Past runs of the loop: how far learning has come, which runs failed, and which lost their process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from dagster_project.lib.starting import PastRun, positions_from

LOOP = "loop"
LEARNED = dg.AssetKey("published_bundle")
"""The asset whose positions say how far learning has come: the last step of a judged model, published or kept back."""
LEARNED_BEFORE = dg.AssetKey("interactions")
"""The asset that held the positions in earlier releases; counted where its run succeeded."""
POSITIONS = "positions"
"""The metadata that holds them."""
LOOK_BACK = 20
"""Past runs to look at; the longest back-off is reached after fewer."""
DEAD_AFTER = timedelta(minutes=10)
"""A run that has been under way for so long holds the home's lock, unless its process is gone."""

UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
IN_PROGRESS = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *UNDER_WAY]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class LearnedPositions:
    """How far learning has come, and by which run."""

    positions: dict[int, int]
    run_id: str | None = None


def learned(instance: dg.DagsterInstance) -> LearnedPositions:
    """How far the loop has judged; nothing where it never has."""
    event = instance.get_latest_materialization_event(LEARNED)
    if event is not None and (positions := _positions(event)) is not None:
        return LearnedPositions(positions, event.run_id)
    for record in instance.fetch_materializations(LEARNED_BEFORE, limit=LOOK_BACK).records:
        entry = record.event_log_entry
        run = instance.get_run_by_id(entry.run_id) if entry.run_id else None
        succeeded = run is None or run.status is dg.DagsterRunStatus.SUCCESS
        if succeeded and (positions := _positions(entry)) is not None:
            return LearnedPositions(positions, entry.run_id)
    return LearnedPositions({})


def ended_runs(instance: dg.DagsterInstance) -> list[PastRun]:
    """The last runs of the loop that have ended, the newest first."""
    filters = dg.RunsFilter(job_name=LOOP, statuses=ENDED)
    return [
        PastRun(
            run_id=record.dagster_run.run_id,
            started=_moment(record.start_time, record.create_timestamp),
            ended=_moment(record.end_time, record.update_timestamp),
            succeeded=record.dagster_run.status is dg.DagsterRunStatus.SUCCESS,
        )
        for record in instance.get_run_records(filters, limit=LOOK_BACK)
    ]


def bury_lost_runs(instance: dg.DagsterInstance, *, now: datetime) -> list[str]:
    """Mark runs as failed whose process is gone; call it only while nobody holds the home's lock."""
    records = instance.get_run_records(dg.RunsFilter(job_name=LOOP, statuses=UNDER_WAY))
    lost = [r.dagster_run for r in records if now - _moment(r.start_time, r.create_timestamp) > DEAD_AFTER]
    for run in lost:
        instance.report_run_failed(run, message="the run's process ended before the run did")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in lost]


def _positions(event: dg.EventLogEntry) -> dict[int, int] | None:
    materialization = event.asset_materialization
    if materialization is None or POSITIONS not in materialization.metadata:
        return None
    return positions_from(str(materialization.metadata[POSITIONS].value))


def _moment(seconds: float | None, otherwise: datetime) -> datetime:
    if seconds is not None:
        return datetime.fromtimestamp(seconds, UTC)
    return otherwise if otherwise.tzinfo else otherwise.replace(tzinfo=UTC)
