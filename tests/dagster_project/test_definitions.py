"""What the code location promises, without running anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.defs.checks import ASSET_OF
from dagster_project.lib.stages import STAGES
from expectations.rules import Severity
from expectations.suites.registry import SUITES
from feedback.settings.home import Settings
from feedback.settings.source import ROOT

GROUPS = {
    "landed_feedback": "landing",
    "items": "features",
    "interactions": "features",
    "data_docs": "checks",
    "evaluations": "learning",
    "challenger": "learning",
    "gate": "learning",
    "published_bundle": "publishing",
}
OUTSIDE_THE_LOOP = {"lake_upkeep": "upkeep"}
POOLS = {
    "landed_feedback": "delta_feedback",
    "items": "delta_items",
    "interactions": "delta_interactions",
    "evaluations": "delta_evaluations",
    "challenger": "models",
    "published_bundle": "bundles",
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    from dagster_project.definitions import defs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEED_HOME", str(tmp_path_factory.mktemp("nothing") / "home"))
        return defs()


@pytest.fixture(scope="module")
def job(definitions: dg.Definitions) -> dg.JobDefinition:
    return definitions.resolve_job_def("loop")


def specs_of(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_every_asset_belongs_to_its_stage(definitions: dg.Definitions) -> None:
    assert {name: spec.group_name for name, spec in specs_of(definitions).items()} == GROUPS | OUTSIDE_THE_LOOP
    assert set(GROUPS.values()) == set(STAGES)


def test_every_asset_says_what_it_is_who_owns_it_and_what_it_is_made_with(definitions: dg.Definitions) -> None:
    for name, spec in specs_of(definitions).items():
        assert spec.description, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.code_version, name


def test_the_ends_of_the_loop_have_a_freshness_policy(definitions: dg.Definitions) -> None:
    fresh = {name for name, spec in specs_of(definitions).items() if spec.freshness_policy is not None}

    assert fresh == {"landed_feedback", "published_bundle"}


@pytest.mark.parametrize(("asset", "pool"), POOLS.items())
def test_what_one_writer_may_replace_is_in_a_pool_of_its_own(job: dg.JobDefinition, asset: str, pool: str) -> None:
    assert job.get_node_named(asset).definition.pool == pool


def test_maintenance_has_a_job_and_an_hourly_schedule_of_its_own(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("hourly_upkeep")
    maintenance = definitions.resolve_job_def("upkeep")

    assert schedule.job_name == "upkeep"
    assert schedule.cron_schedule == "7 * * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    keys = maintenance.asset_layer.asset_graph.materializable_asset_keys
    assert {key.to_user_string() for key in keys} == {"lake_upkeep"}


def test_the_loop_is_every_asset_and_every_check(job: dg.JobDefinition, definitions: dg.Definitions) -> None:
    checks = {(ASSET_OF[suite.name], rule.name) for suite in SUITES.values() for rule in suite.rules}
    in_job = {(key.asset_key.to_user_string(), key.name) for key in job.asset_layer.asset_graph.asset_check_keys}

    assert {key.to_user_string() for key in job.asset_layer.asset_graph.materializable_asset_keys} == set(GROUPS)
    assert in_job == checks | {("gate", "challenger_passed")}


def test_exactly_the_critical_rules_block(job: dg.JobDefinition) -> None:
    graph = job.asset_layer.asset_graph
    blocking = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys if graph.get(key).blocking}

    assert blocking == {
        (ASSET_OF[suite.name], name) for suite in SUITES.values() for name in suite.names(Severity.CRITICAL)
    }


def test_the_nightly_schedule_and_the_sensor_start_the_loop(definitions: dg.Definitions, settings: Settings) -> None:
    schedule = definitions.resolve_schedule_def("nightly_loop")
    sensor = definitions.resolve_sensor_def("enough_new_feedback")

    assert (schedule.job_name, schedule.cron_schedule) == ("loop", settings.learning.nightly_cron)
    assert schedule.execution_timezone == settings.learning.timezone
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert sensor.job_name == "loop"
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_workspace_and_the_project_name_the_same_code_location() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    workspace = (ROOT / "workspace.yaml").read_text(encoding="utf-8")

    assert f"location_name: {project['code_location_name']}" in workspace
    assert f"module_name: {project['code_location_target_module']}" in workspace


def test_the_code_location_loads_without_the_heavy_libraries(tmp_path: Path) -> None:
    heavy = ("apache_beam", "great_expectations", "pyspark", "mlflow", "pandas", "matplotlib")
    script = (
        "import sys; from dagster_project.definitions import defs; defs().resolve_job_def('loop'); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {**os.environ, "HEED_HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
    assert not (tmp_path / "home").exists()


def test_dg_checks_the_definitions(tmp_path: Path) -> None:
    tool = Path(sys.executable).parent / "dg"
    environment = {**os.environ, "HEED_HOME": str(tmp_path), "DAGSTER_HOME": ""}

    done = subprocess.run(
        [str(tool), "check", "defs"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr


def test_private_modules_of_dagster_are_imported_in_one_file() -> None:
    importing = {
        path.name
        for path in (ROOT / "dagster_project").rglob("*.py")
        if re.search(r"(from|import) dagster\._", path.read_text(encoding="utf-8"))
    }

    assert importing == {"internals.py"}
