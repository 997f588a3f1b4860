from __future__ import annotations

import pytest

from dagster_project.defs.resources import HeedHome, TrackingResource
from feedback.settings.home import Settings
from models.tracking.runs import Tracking


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
@pytest.mark.parametrize("base", ["", "https://mlflow.example"])
def test_the_page_of_a_run_is_in_the_experiment_of_the_home(tracked: Settings, base: str) -> None:
    page = TrackingResource(heed=HeedHome(home=tracked.home), base_url=base).run_url("abc")

    experiment = Tracking(tracked.mlflow, tracked.paths).experiment_id()
    address = base or f"http://{tracked.http.host}:{tracked.mlflow.port}"
    assert page == f"{address}/#/experiments/{experiment}/runs/abc"
