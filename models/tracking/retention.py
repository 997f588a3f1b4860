"""How much MLflow keeps of what the loop made: fits, registered versions and their artifacts.

Only what `heed run` recorded is looked at. Versions that hold an alias or stand behind a published bundle stay, and the
runs they come from. MLflow's own databases give the space free for good; a tracking server keeps what is deleted in its
trash until its `mlflow gc` is run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from feedback.settings.learning import MlflowSettings
from feedback.settings.paths import HomePaths
from models.bundle.store import BundleStore
from models.tracking.runs import EXPERIMENT, REGISTERED_MODEL, SOURCE_NAME, Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE = 1000
AT_ONCE = 500
"""Runs, and models, removed in one call: a backlog of years goes in steps, and no loop waits minutes for it."""


class Version(msgspec.Struct, frozen=True):
    """A registered version: its number, its run and its model."""

    number: int
    run_id: str
    model_id: str | None = None


class MlflowRemoved(msgspec.Struct, frozen=True):
    """How much was removed."""

    versions: int = 0
    models: int = 0
    runs: int = 0


def versions_to_remove(versions: Sequence[Version], *, keep: int, spared: Collection[str]) -> list[Version]:
    """The oldest beyond `keep`, the oldest first, without those of the spared numbers."""
    oldest_first = sorted(versions, key=lambda version: version.number)
    return [v for v in oldest_first[: max(0, len(oldest_first) - keep)] if str(v.number) not in spared]


def runs_to_remove(oldest: Sequence[str], *, newest: Collection[str], spared: Collection[str]) -> list[str]:
    """Of the oldest runs, those that are neither among the newest to keep nor spared."""
    return [run for run in oldest if run not in newest and run not in spared]


def prune_mlflow(mlflow: MlflowSettings, paths: HomePaths) -> MlflowRemoved:
    """Remove what is beyond the settings; call it while no loop runs on the home.

    Raises:
        MlflowException: MLflow refuses, or does not answer.
    """
    client = Tracking(mlflow, paths)._client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return MlflowRemoved()
    ours = _Ours(client, experiment.experiment_id)
    trash = _Trash(mlflow, paths)
    manifests = BundleStore(paths.bundles).manifests()
    versions = _versions(client)
    spared = {m.mlflow_model_version for m in manifests if m.mlflow_model_version} | _aliased(client)
    beyond = versions_to_remove(versions, keep=mlflow.registered_models_kept, spared=spared)
    obsolete = [version for version in beyond[:AT_ONCE] if ours.recorded(version.run_id)]
    for version in obsolete:
        _remove_version(client, str(version.number))
    kept = [version for version in versions if version not in obsolete]
    models = ours.models_but({version.model_id for version in kept})
    for model in models:
        trash.remove_model(client, model)
    held = {version.run_id for version in kept} | {m.mlflow_run_id for m in manifests if m.mlflow_run_id}
    newest = ours.runs(mlflow.runs_kept, newest_first=True, trash=trash.empties)
    full = len(newest) == mlflow.runs_kept
    oldest = ours.runs(AT_ONCE + len(held), newest_first=False, trash=trash.empties) if full else {}
    runs = runs_to_remove(list(oldest), newest=newest, spared=held)[:AT_ONCE]
    for run in runs:
        trash.remove_run(client, oldest[run])
    return MlflowRemoved(len(obsolete), len(models), len(runs))


class _Ours:
    """What the loop recorded in its experiment."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client = client
        self._experiment = experiment

    def recorded(self, run_id: str) -> bool:
        """Whether the loop recorded a run; not where there is none any more."""
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException:
            return False
        return bool(
            run.info.experiment_id == self._experiment and run.data.tags.get("mlflow.source.name") == SOURCE_NAME
        )

    def runs(self, at_most: int, *, newest_first: bool, trash: bool) -> dict[str, Any]:
        """So many runs by id, from one end; those in the trash as well, where it can be emptied."""
        from mlflow.entities import ViewType

        found: dict[str, Any] = {}
        token: str | None = None
        while len(found) < at_most:
            page = self._client.search_runs(
                [self._experiment],
                filter_string=f"tags.`mlflow.source.name` = '{SOURCE_NAME}'",
                run_view_type=ViewType.ALL if trash else ViewType.ACTIVE_ONLY,
                max_results=min(PAGE, at_most - len(found)),
                order_by=[f"attributes.start_time {'DESC' if newest_first else 'ASC'}"],
                page_token=token,
            )
            found.update({run.info.run_id: run.info for run in page})
            token = page.token
            if not token:
                break
        return found

    def models_but(self, kept: Collection[str | None]) -> list[Any]:
        """Logged models that none of the kept versions names; a run that failed has left one as well."""
        found: list[Any] = []
        token: str | None = None
        while len(found) < AT_ONCE:
            page = self._client.search_logged_models([self._experiment], max_results=PAGE, page_token=token)
            found += [m for m in page if m.model_id not in kept and self.recorded(m.source_run_id)]
            token = page.token
            if not token:
                break
        return found[:AT_ONCE]


class _Trash:
    """Removes runs and models, for good where MLflow's store is a database.

    That is what `mlflow gc` does; the command itself would empty everybody's trash as well.
    """

    def __init__(self, mlflow: MlflowSettings, paths: HomePaths) -> None:
        from mlflow.tracking._tracking_service.utils import _get_store

        store: Any = _get_store(mlflow.url)
        self._store = store if hasattr(store, "_hard_delete_run") else None
        self._folder = paths.mlflow_artifacts.resolve()

    @property
    def empties(self) -> bool:
        """Whether what is removed is gone, and not only marked."""
        return self._store is not None

    def remove_run(self, client: MlflowClient, run: Any) -> None:  # noqa: ANN401 - MLflow's RunInfo
        """Remove a run, with its artifacts."""
        if run.lifecycle_stage == "active":
            client.delete_run(run.run_id)
        if self._store is not None:
            self._remove_artifacts(run.artifact_uri)
            self._store._hard_delete_run(run.run_id)

    def remove_model(self, client: MlflowClient, model: Any) -> None:  # noqa: ANN401 - MLflow's LoggedModel
        """Remove a logged model, with its artifacts."""
        self._remove_artifacts(model.artifact_location)
        client.delete_logged_model(model.model_id)
        if self._store is not None:
            self._store._hard_delete_logged_model(model.model_id)

    def _remove_artifacts(self, uri: str) -> None:
        """Remove what lies there; a copied home names the files of the home that it was copied from, which stay."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        path = _local_path(uri)
        if path is None or path.is_relative_to(self._folder):
            get_artifact_repository(uri).delete_artifacts()
        if path is not None and path.parent.parent.is_relative_to(self._folder):
            with contextlib.suppress(OSError):  # not empty, or not there
                path.parent.rmdir()


def _versions(client: MlflowClient) -> list[Version]:
    found: list[Version] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{REGISTERED_MODEL}'", max_results=PAGE, page_token=token)
        found += [Version(int(v.version), str(v.run_id), _model_of(v)) for v in page]
        token = page.token
        if not token:
            return found


def _model_of(version: Any) -> str | None:  # noqa: ANN401 - MLflow's ModelVersion
    source = str(version.source or "")
    return source.removeprefix("models:/") if source.startswith("models:/") else None


def _aliased(client: MlflowClient) -> set[str]:
    """Versions that hold an alias, the loop's own or somebody else's."""
    from mlflow.exceptions import MlflowException

    try:
        return {str(version) for version in client.get_registered_model(REGISTERED_MODEL).aliases.values()}
    except MlflowException:  # nothing has been registered yet
        return set()


def _remove_version(client: MlflowClient, version: str) -> None:
    for tag in client.get_model_version(REGISTERED_MODEL, version).tags:
        client.delete_model_version_tag(REGISTERED_MODEL, version, tag)  # the registry would keep them
    client.delete_model_version(REGISTERED_MODEL, version)


def _local_path(uri: str) -> Path | None:
    """The path that a URI names on this machine; None for an address elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path)).resolve()
