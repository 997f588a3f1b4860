"""What MLflow keeps of the loop's fits and models, on a real store; what others made is not touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlflow.entities import ViewType

from feedback.settings.home import Settings, load_settings
from feedback.settings.learning import MlflowSettings
from models.bundle.store import BundleStore
from models.tracking.retention import MlflowRemoved, Version, prune_mlflow, runs_to_remove, versions_to_remove
from models.tracking.runs import CHALLENGER, CHAMPION, EXPERIMENT, REGISTERED_MODEL, FitRecord, Tracking
from tests.models.bundle.test_rollback import publish

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own


def test_the_newest_versions_and_the_spared_ones_stay() -> None:
    versions = [Version(number, f"run {number}") for number in (10, 9, 3, 2, 1)]

    obsolete = versions_to_remove(versions, keep=2, spared={"2"})

    assert [version.number for version in obsolete] == [1, 3]
    assert versions_to_remove(versions, keep=9, spared=()) == []


def test_the_newest_runs_and_the_spared_ones_stay() -> None:
    assert runs_to_remove(["a", "b", "c", "d"], newest={"e", "d"}, spared={"b"}) == ["a", "c"]


def few(settings: Settings) -> MlflowSettings:
    return msgspec.structs.replace(settings.mlflow, registered_models_kept=2, runs_kept=3)


class Made:
    """Fits and registered versions, as the loop makes them, with a file for each model."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tracking = Tracking(settings.mlflow, settings.paths)
        self.client = self.tracking._client()
        self.client.create_registered_model(REGISTERED_MODEL)

    def fit(self) -> str:
        return self.tracking.record(FitRecord("signed_als", {"rank": 8}, {}, {}, seed=1))

    def version(self, run: str) -> tuple[str, Path]:
        experiment = self.client.get_run(run).info.experiment_id
        model = self.client.create_logged_model(experiment, "recommender", run)
        folder = Path(model.artifact_location.removeprefix("file://"))
        folder.mkdir(parents=True)
        (folder / "factors").write_bytes(b"x" * 1000)
        uri = f"models:/{model.model_id}"
        made = self.client.create_model_version(REGISTERED_MODEL, uri, run, model_id=model.model_id)
        self.client.set_model_version_tag(REGISTERED_MODEL, made.version, "gate", "passed")
        return str(made.version), folder

    def versions(self) -> set[str]:
        found = self.client.search_model_versions(f"name = '{REGISTERED_MODEL}'")
        return {str(version.version) for version in found}

    def runs(self) -> set[str]:
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        return {run.info.run_id for run in self.client.search_runs([experiment.experiment_id], "", ViewType.ALL)}


@pytest.fixture
def made(tracked: Settings) -> Made:
    return Made(msgspec.structs.replace(tracked, mlflow=few(tracked)))


def test_versions_beyond_go_with_their_files_but_for_those_in_use(made: Made) -> None:
    runs = [made.fit() for _ in range(6)]
    versions = [made.version(run) for run in runs]
    publish(BundleStore(made.settings.paths.bundles), hour=0, model_version=versions[1][0])
    made.client.set_registered_model_alias(REGISTERED_MODEL, CHAMPION, versions[2][0])
    made.client.set_registered_model_alias(REGISTERED_MODEL, "theirs", versions[0][0])
    made.client.set_registered_model_alias(REGISTERED_MODEL, CHALLENGER, versions[5][0])

    removed = prune_mlflow(made.settings.mlflow, made.settings.paths)

    kept = [0, 1, 2, 4, 5]
    assert removed == MlflowRemoved(versions=1, models=1, runs=0)
    assert made.versions() == {versions[number][0] for number in kept}
    assert [folder.parent.exists() for _, folder in versions] == [number in kept for number in range(6)]
    assert prune_mlflow(made.settings.mlflow, made.settings.paths) == MlflowRemoved()


def test_runs_beyond_are_gone_for_good_but_for_those_of_kept_versions(made: Made) -> None:
    runs = [made.fit() for _ in range(6)]
    made.version(runs[1])
    made.client.delete_run(runs[2])  # somebody put it into the trash

    removed = prune_mlflow(made.settings.mlflow, made.settings.paths)

    assert removed == MlflowRemoved(runs=2)
    assert made.runs() == {runs[number] for number in (1, 3, 4, 5)}


def test_a_model_that_a_failed_run_left_unregistered_goes(made: Made) -> None:
    run = made.fit()
    model = made.client.create_logged_model(made.client.get_run(run).info.experiment_id, "recommender", run)
    folder = Path(model.artifact_location.removeprefix("file://"))
    folder.mkdir(parents=True)

    assert prune_mlflow(made.settings.mlflow, made.settings.paths).models == 1
    assert not folder.parent.exists()


def test_what_others_made_stays(made: Made) -> None:
    for _ in range(5):
        made.fit()
    experiment = made.client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    theirs = made.client.create_run(experiment.experiment_id, start_time=1).info.run_id
    other, _ = made.version(theirs)
    elsewhere = made.client.create_experiment("theirs")
    their_run = made.client.create_run(elsewhere, start_time=1, tags={"mlflow.source.name": "heed run"}).info.run_id
    trashed = made.client.create_experiment("in their trash")
    made.client.delete_experiment(trashed)

    removed = prune_mlflow(made.settings.mlflow, made.settings.paths)

    assert removed == MlflowRemoved(runs=2)
    assert theirs in made.runs()
    assert other in made.versions()
    assert made.client.get_run(their_run) is not None
    assert made.client.get_experiment(trashed).lifecycle_stage == "deleted"


def test_a_copied_home_leaves_the_files_of_the_home_it_was_copied_from(made: Made, tmp_path: Path) -> None:
    original = [made.version(made.fit())[1] for _ in range(4)]
    copy = tmp_path / "copy"
    made.settings.paths.home.rename(copy)
    copied = load_settings(copy)
    for folder in original:  # the copy names the folders of the original, which live on
        folder.mkdir(parents=True)

    removed = prune_mlflow(few(copied), copied.paths)

    assert (removed.versions, removed.models) == (2, 2)
    assert all(folder.exists() for folder in original)


def test_nothing_is_done_where_nothing_was_recorded(tracked: Settings) -> None:
    nothing: Any = prune_mlflow(tracked.mlflow, tracked.paths)

    assert nothing == MlflowRemoved()
