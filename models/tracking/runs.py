"""What was fitted, on what, how well, and which version serves: MLflow's runs and registry.

One run per fit. The aliases `challenger` and `champion` are the only states of a version.
"""

from __future__ import annotations

import logging
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from feedback.errors import LearningError
from feedback.settings.learning import MlflowSettings
from feedback.settings.paths import HomePaths
from feedback.settings.source import ROOT
from models.bundle.bundle import Provenance, write_bundle
from models.evaluation.metrics import Metrics
from models.evaluation.populations import Population, prefix_of
from models.recommenders.recommender import Model

if TYPE_CHECKING:
    from datetime import datetime

    from mlflow import MlflowClient

EXPERIMENT = "heed"
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "One run per fit of `heed run`: each recommender fitted on train and judged on both splits, "
    "then the challenger fitted on everything. Metrics are named split.figure, at the length of a served list; "
    "split.known_figure, split.newcomer_figure and split.stranger_figure are over one population.",
}
"""Where MLflow's pages file the experiment, and what they say of it."""
SOURCE_NAME = "heed run"
"""Under this name MLflow shows who recorded a run; what bears another was made by somebody else."""
REGISTERED_MODEL = "heed-recommender"
CHALLENGER, CHAMPION = "challenger", "champion"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What the registry says of a name, a version or an alias that it does not have."""
GIT_SECONDS = 5.0
NEEDED = ("msgspec", "numpy", "pandas", "polars", "scipy")
"""What the logged model imports; named, because MLflow would otherwise run pip to find out."""


@dataclass(frozen=True, slots=True)
class FitRecord:
    """What is worth knowing of one fit."""

    recommender: str
    parameters: Mapping[str, float | int | str | bool]
    metrics: Mapping[str, Mapping[Population, Metrics]]
    """Figures by split and population."""
    delta_versions: Mapping[str, int]
    seed: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of the registered model."""

    version: str
    run_id: str


class Tracking:
    """MLflow's tracking store and registry of one home."""

    def __init__(self, mlflow: MlflowSettings, paths: HomePaths) -> None:
        self._address = mlflow.url
        self._artifacts = paths.mlflow_artifacts

    def record(self, fit: FitRecord) -> str:
        """Write one run with parameters, figures, inputs and code version; returns its id."""
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        client = self._client()
        tags = {"code_version": code_version(), "recommender": fit.recommender, "seed": str(fit.seed), **fit.tags}
        tags |= {f"delta.{table}": str(version) for table, version in fit.delta_versions.items()}
        tags |= {"mlflow.source.name": SOURCE_NAME, "mlflow.source.type": "JOB"}
        on_everything = fit.tags.get("fit") == "everything"
        run_name = f"{fit.recommender}, on everything" if on_everything else fit.recommender
        run = client.create_run(self._experiment(client), run_name=run_name)
        moment = get_current_time_millis()
        metrics = [
            Metric(f"{split}.{prefix_of(population)}{name}", value, moment, 0)
            for split, populations in fit.metrics.items()
            for population, figures in populations.items()
            for name, value in figures.figures().items()
        ]
        params = [Param(name, str(value)) for name, value in fit.parameters.items()]
        client.log_batch(run.info.run_id, metrics, params, [RunTag(name, value) for name, value in tags.items()])
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def register(
        self,
        run_id: str,
        model: Model,
        *,
        name: str,
        parameters: Mapping[str, float | int | str | bool],
        items: pl.DataFrame,
        created_at: datetime,
    ) -> RegisteredVersion:
        """Log a fitted model under its run and register it as the challenger.

        Raises:
            LearningError: MLflow kept the model without its signature.
        """
        client = self._client()
        with tempfile.TemporaryDirectory(prefix="heed-model-") as folder:
            bundle = Path(folder) / "bundle"
            strangers = pl.DataFrame(schema={"subject": pl.String, "item_id": pl.String, "explicit": pl.Float64,
                                             "implicit": pl.Float64, "last_at": pl.Datetime("us", "UTC")})  # fmt: skip
            write_bundle(
                bundle,
                model,
                name=name,
                parameters=parameters,
                interactions=strangers,
                items=items,
                provenance=Provenance(created_at=created_at, metrics={}, mlflow_run_id=run_id),
            )
            logged = _log_model(run_id, bundle, model)
        if logged.signature is None:
            raise LearningError(f"run {run_id}: MLflow kept the model without its signature")
        self._ensure_registered(client)
        made = client.create_model_version(
            REGISTERED_MODEL, source=logged.model_uri, run_id=run_id, model_id=logged.model_id
        )
        client.set_registered_model_alias(REGISTERED_MODEL, CHALLENGER, made.version)
        return RegisteredVersion(str(made.version), run_id)

    def judge(self, version: str, *, passed: bool, reasons: Sequence[str]) -> None:
        """Write the gate's result on a version; what serves becomes the champion, see `models.tracking.champion`."""
        client = self._client()
        client.set_model_version_tag(REGISTERED_MODEL, version, "gate", "passed" if passed else "refused")
        client.set_model_version_tag(REGISTERED_MODEL, version, "gate_reasons", msgspec.json.encode(reasons).decode())

    def promote(self, version: str) -> None:
        """Make a version the champion, as publishing and rolling back do."""
        self._client().set_registered_model_alias(REGISTERED_MODEL, CHAMPION, version)

    def dethrone(self) -> None:
        """Leave the registry without a champion, where what serves is not registered."""
        self._client().delete_registered_model_alias(REGISTERED_MODEL, CHAMPION)

    def has_version(self, version: str) -> bool:
        """Whether the registry holds a version."""
        return self._found(lambda client: client.get_model_version(REGISTERED_MODEL, version)) is not None

    def holder(self, alias: str) -> RegisteredVersion | None:
        """The version that holds an alias, if one does."""
        found = self._found(lambda client: client.get_model_version_by_alias(REGISTERED_MODEL, alias))
        return None if found is None else RegisteredVersion(str(found.version), str(found.run_id))

    def _found(self, ask: Callable[[MlflowClient], Any]) -> Any:  # noqa: ANN401 - what MLflow's client answers
        """What the registry answers; None where it knows nothing of it, which it says in two ways."""
        from mlflow.exceptions import MlflowException

        try:
            return ask(self._client())
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise

    def load(self, alias: str = CHAMPION) -> Any:  # noqa: ANN401 - MLflow's PyFuncModel
        """The registered model that holds an alias, as MLflow loads it anywhere."""
        import mlflow

        self._client()
        return mlflow.pyfunc.load_model(f"models:/{REGISTERED_MODEL}@{alias}")

    def experiment_id(self) -> str:
        """The id of the experiment that holds the runs; it is made on first use."""
        return self._experiment(self._client())

    def _client(self) -> MlflowClient:
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        address = self._address
        mlflow.set_tracking_uri(address)
        mlflow.set_registry_uri(address)
        return mlflow.MlflowClient(address, address)

    def _experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        self._artifacts.mkdir(parents=True, exist_ok=True)
        made = client.create_experiment(EXPERIMENT, artifact_location=self._artifacts.as_uri(), tags=EXPERIMENT_TAGS)
        return str(made)

    @staticmethod
    def _ensure_registered(client: MlflowClient) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.get_registered_model(REGISTERED_MODEL)
        except MlflowException:
            client.create_registered_model(REGISTERED_MODEL, description="Lists items for a history of feedback.")


def code_version() -> str:
    """The git commit of the code, with `+changes` where files differ from it; else the package's version."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])
    return f"{commit}+changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _log_model(run_id: str, bundle: Path, model: Model) -> Any:  # noqa: ANN401 - MLflow's ModelInfo
    """Log a bundle, and the code that lists from it, under a run."""
    import mlflow

    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="recommender",
            python_model=str(Path(__file__).with_name("listing_model.py")),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(ROOT / "models"), str(ROOT / "feedback")],
            pip_requirements=[f"{package}=={package_version(package)}" for package in NEEDED],
            signature=_signature(),
            input_example=(_example(model), {"n": 3}),
        )


def _example(model: Model) -> Any:  # noqa: ANN401 - a pandas frame, imported only here
    """What a caller sends: one person's items and how much they liked each, from -1 to 1."""
    import pandas as pd

    known = list(model.items.ids[:2])
    return pd.DataFrame({"items": [known], "preferences": [[1.0, -0.5][: len(known)]]})


def _signature() -> Any:  # noqa: ANN401 - MLflow's ModelSignature
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    return ModelSignature(
        inputs=Schema([ColSpec(Array(DataType.string), "items"), ColSpec(Array(DataType.double), "preferences")]),
        outputs=Schema([ColSpec(Array(DataType.string), "items"), ColSpec(Array(DataType.double), "scores")]),
        params=ParamSchema([ParamSpec("n", DataType.long, default=10)]),
    )
