"""The end of a loop prunes every store; what goes wrong there fails nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from dagster_project.defs.resources import HeedHome
from dagster_project.instance import open_instance
from dagster_project.retention import prune
from feedback.settings.home import Settings

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own

YEARS_AGO = 1_500_000_000


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def test_files_of_refused_rows_go_when_they_are_old(settings: Settings, instance: dg.DagsterInstance) -> None:
    old, new = (settings.paths.home / "refused" / f"{name}.jsonl" for name in ("old", "new"))
    old.parent.mkdir(parents=True)
    for path in (old, new):
        path.write_text("{}")
    os.utime(old, (YEARS_AGO, YEARS_AGO))

    pruned = prune(settings, instance, now=datetime.now(UTC))

    assert pruned.problems == []
    assert pruned.removed["files of refused rows"] == 1
    assert (old.exists(), new.exists()) == (False, True)
    assert pruned.words == "removed what is beyond the retention: 1 files of refused rows"


def test_what_killed_processes_left_goes_when_nothing_works_on_it_any_more(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    spark = settings.paths.run_folder / "spark"
    dead, alive, ours = spark / "blockmgr-dead", spark / "blockmgr-alive", spark / "java"
    for folder in (dead / "00", alive / "00", ours):
        folder.mkdir(parents=True)
    for folder in (dead / "00", dead, alive, ours):
        os.utime(folder, (YEARS_AGO, YEARS_AGO))

    pruned = prune(settings, instance, now=datetime.now(UTC))

    assert pruned.removed["folders of killed processes"] == 1
    assert [folder.exists() for folder in (dead, alive, ours)] == [False, True, True]


def test_a_store_that_cannot_be_pruned_is_named_and_the_others_are_pruned(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    (settings.paths.home / "mlflow.db").write_bytes(b"this is no database" * 100)

    pruned = prune(settings, instance, now=datetime.now(UTC))

    assert len(pruned.problems) == 1
    assert pruned.problems[0].startswith("MLflow could not be pruned, the next run tries again: ")
    assert pruned.removed["Dagster runs"] == 0
    assert "MLflow runs" not in pruned.removed


@pytest.mark.parametrize("succeeds", [True, False], ids=["well", "not well"])
def test_a_loop_prunes_when_it_ends_well_or_not_and_other_jobs_do_not(
    settings: Settings, instance: dg.DagsterInstance, succeeds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEED_DAGSTER_RUNS_KEPT", "1")

    @dg.asset
    def interactions(heed: HeedHome) -> None:
        if not succeeds:
            raise dg.Failure("no")

    def run(job: str) -> str:
        made = dg.define_asset_job(job, executor_def=dg.in_process_executor)
        home = {"heed": HeedHome(home=settings.home)}
        small = dg.Definitions(assets=[interactions], jobs=[made], resources=home).resolve_job_def(job)
        return small.execute_in_process(instance=instance, raise_on_error=False).run_id

    loops = [run("loop") for _ in range(3)]
    before = set(instance.get_run_ids())
    other = run("another")

    # the run that prunes is not over, so the one before it is the newest that is
    assert before == set(loops[-2:])
    assert set(instance.get_run_ids()) == {*before, other}


def test_pruning_that_fails_does_not_fail_the_loop(settings: Settings, instance: dg.DagsterInstance) -> None:
    (settings.paths.home / "mlflow.db").write_bytes(b"this is no database" * 100)

    @dg.asset
    def interactions(heed: HeedHome) -> None: ...

    made = dg.define_asset_job("loop", executor_def=dg.in_process_executor)
    home = {"heed": HeedHome(home=settings.home)}
    small = dg.Definitions(assets=[interactions], jobs=[made], resources=home).resolve_job_def("loop")
    run = small.execute_in_process(instance=instance)

    assert run.success
    told = [record.event_log_entry.user_message for record in instance.get_records_for_run(run.run_id).records]
    assert any("MLflow could not be pruned" in words for words in told)


def test_pruning_keeps_within_what_the_settings_say_of_each_store(settings: Settings) -> None:
    told = settings.flat()

    kept = {name: told[name] for name in told if name.endswith("_kept") and name != "windows_kept"}
    assert kept == {
        "learning_bundles_kept": 5, "mlflow_registered_models_kept": 10, "mlflow_runs_kept": 500,
        "dagster_runs_kept": 100, "maintenance_table_versions_kept": 30,
    }  # fmt: skip
