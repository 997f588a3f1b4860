"""What Dagster keeps of past runs, on the home's own store, with real runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import open_instance
from dagster_project.run_retention import prune_runs, runs_to_remove
from feedback.settings.home import Settings

LATER = timedelta(hours=2)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def small(job: str = "loop", *, asset: str = "interactions", succeeds: bool = True) -> dg.JobDefinition:
    """A job with an asset and a check."""

    @dg.asset(name=asset)
    def built() -> None:
        if not succeeds:
            raise dg.Failure("no")

    @dg.asset_check(asset=built)
    def rows() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    made = dg.define_asset_job(job, selection="*", executor_def=dg.in_process_executor)
    return dg.Definitions(assets=[built], asset_checks=[rows], jobs=[made]).resolve_job_def(job)


def run(instance: dg.DagsterInstance, job: dg.JobDefinition | None = None) -> str:
    """A run of it; returns its id."""
    return (job or small()).execute_in_process(instance=instance, raise_on_error=False).run_id


def check_results(settings: Settings) -> set[str]:
    """The runs that the store holds check results of."""
    with closing(sqlite3.connect(settings.paths.dagster_home / "history/runs/index.db")) as index:
        return {run_id for (run_id,) in index.execute("SELECT run_id FROM asset_check_executions")}


def shards(settings: Settings) -> set[str]:
    return {path.stem for path in (settings.paths.dagster_home / "history/runs").glob("*.db")} - {"index"}


def test_the_newest_runs_and_the_spared_ones_stay() -> None:
    assert runs_to_remove(["d", "c", "b", "a"], keep=1, spared={"b"}) == ["a", "c"]


def test_runs_beyond_go_with_their_events_results_and_files(settings: Settings, instance: dg.DagsterInstance) -> None:
    runs = [run(instance) for _ in range(3)]

    removed = prune_runs(instance, keep=1, now=datetime.now(UTC))

    assert removed == 2
    assert set(instance.get_run_ids()) == {runs[2]}
    assert shards(settings) == {runs[2]}
    assert check_results(settings) == {runs[2]}
    assert prune_runs(instance, keep=1, now=datetime.now(UTC)) == 0


def test_what_runs_and_what_holds_the_latest_of_an_asset_stay(instance: dg.DagsterInstance) -> None:
    latest = run(instance)
    running = instance.create_run_for_job(small(), status=dg.DagsterRunStatus.STARTED).run_id
    failed = [run(instance, small(succeeds=False)) for _ in range(2)]

    prune_runs(instance, keep=1, now=datetime.now(UTC))

    assert set(instance.get_run_ids()) == {latest, running, failed[-1]}
    event = instance.get_latest_materialization_event(dg.AssetKey("interactions"))
    assert event is not None
    assert event.run_id == latest


def test_runs_of_other_jobs_stay_and_each_job_keeps_its_own(instance: dg.DagsterInstance) -> None:
    theirs = [run(instance, small("theirs", asset="other")) for _ in range(2)]
    maintenance = [run(instance, small("upkeep", asset="lake_upkeep")) for _ in range(2)]
    loops = [run(instance) for _ in range(2)]

    prune_runs(instance, keep=1, now=datetime.now(UTC))

    assert set(instance.get_run_ids()) == {*theirs, maintenance[-1], loops[-1]}


def test_files_of_runs_that_nobody_knows_go_once_they_are_old(settings: Settings, instance: dg.DagsterInstance) -> None:
    known = run(instance)
    unknown = "00000000-0000-4000-8000-000000000000"
    shard = settings.paths.dagster_home / "history/runs" / f"{unknown}.db"
    logs = Path(instance.storage_directory()) / unknown / "compute_logs"
    kept = Path(instance.storage_directory()) / "interactions"
    kept.mkdir(parents=True)
    shard.write_bytes(b"")
    logs.mkdir(parents=True)

    prune_runs(instance, keep=2, now=datetime.now(UTC))
    young = shard.exists() and logs.exists()
    prune_runs(instance, keep=2, now=datetime.now(UTC) + LATER)

    assert young
    assert not shard.exists()
    assert not logs.exists()
    assert kept.exists()
    assert shards(settings) == {known}
