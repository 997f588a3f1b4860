"""The challenger: fitted on all interactions and registered, not yet published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feedback.settings.home import Settings
from models.learning.comparison import Comparison
from models.recommenders.recommender import Model
from models.recommenders.registry import CHALLENGER, build_recommender
from models.recommenders.training_data import TrainingData
from models.tracking.runs import FitRecord, Tracking


@dataclass(frozen=True)
class Challenger:
    """The fitted challenger: learned from everything, registered, not yet let in."""

    name: str
    parameters: Mapping[str, Any]
    model: Model
    mlflow_run_id: str
    mlflow_model_version: str


def fit_challenger(
    settings: Settings,
    comparison: Comparison,
    data: TrainingData,
    *,
    delta_versions: Mapping[str, int],
) -> Challenger:
    """Fit the challenger on everything and register it."""
    parameters = comparison.parameters[CHALLENGER]
    model = build_recommender(CHALLENGER, parameters).fit(data)
    tracking = Tracking(settings.mlflow, settings.paths)
    run_id = tracking.record(
        FitRecord(
            recommender=CHALLENGER,
            parameters=parameters,
            metrics=comparison.populations_of(CHALLENGER),
            delta_versions=delta_versions,
            seed=settings.learning.seed,
            tags={"dagster_run_id": comparison.evaluation_id, "fit": "everything"},
        )
    )
    registered = tracking.register(
        run_id, model, name=CHALLENGER, parameters=parameters, items=data.catalogue, created_at=datetime.now(UTC)
    )
    return Challenger(CHALLENGER, parameters, model, run_id, registered.version)
