"""MLflow as its pages show it."""

from __future__ import annotations

import pytest

from feedback.settings.home import Settings
from models.tracking.runs import EXPERIMENT, FitRecord, Tracking

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own


def test_the_pages_tell_fits_apart_and_say_what_the_experiment_is(tracked: Settings) -> None:
    tracking = Tracking(tracked.mlflow, tracked.paths)
    fits = [
        FitRecord("signed_als", {"rank": 8}, {}, {"interactions": 3}, seed=1, tags={"fit": fit})
        for fit in ("evaluation", "everything")
    ]

    judged, everything = (tracking.record(fit) for fit in fits)

    client = tracking._client()
    assert [client.get_run(run).info.run_name for run in (judged, everything)] == [
        "signed_als",
        "signed_als, on everything",
    ]
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "split.figure" in experiment.tags["mlflow.note.content"]
