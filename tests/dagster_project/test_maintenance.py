"""The asset that looks after the lake, materialized for real."""

from __future__ import annotations

import dagster as dg

from dagster_project.defs.maintenance import lake_upkeep
from dagster_project.defs.resources import SharedHome
from feedback.settings.home import Settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import batch


def test_a_materialization_does_a_pass_and_reports_it(settings: Settings) -> None:
    lake = open_lake(settings)
    committer = LandingCommitter(lake, "feedback", 4)
    for number in range(5):
        committer.commit(batch(number, number + 1), at=NOW)

    done = dg.materialize([lake_upkeep], resources={"shared_home": SharedHome(home=settings.home)})

    (event,) = done.asset_materializations_for_node("lake_upkeep")
    found = {name: value.value for name, value in event.metadata.items()}
    assert (found["files_before"], found["files_after"], found["orphans_removed"]) == (5, 1, 0)
    assert 0 < found["peak_memory_bytes"] < found["memory_cap_bytes"]
    assert found["duration_seconds"] > 0
    assert found["problems"] == "none"
    assert found["dagster_runs_removed"] == 0
    assert len(lake.file_uris(FEEDBACK)) == 1
