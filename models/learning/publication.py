"""Publishing what the gate decided, and telling the registry what serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from feedback.errors import RollbackHolds
from feedback.settings.home import Settings
from models.bundle.bundle import Manifest, Provenance
from models.bundle.store import BundleStore
from models.evaluation.gate import GateOutcome, GateResult
from models.learning.challenger import Challenger
from models.learning.comparison import Comparison
from models.recommenders.recommender import Model
from models.recommenders.registry import STOPGAP, build_recommender
from models.recommenders.training_data import TrainingData
from models.tracking.champion import align_champion
from models.tracking.runs import Tracking


@dataclass(frozen=True, slots=True)
class Publication:
    """The outcome of a judgement."""

    manifest: Manifest | None = None
    """Of the bundle that serves from now on; None where nothing new was published."""
    hold: str | None = None
    """Why a rollback kept the bundle back, if one did."""
    registry_problem: str | None = None
    """Why MLflow could not be told, if so; the next run tells it."""


def publish(
    settings: Settings,
    result: GateResult,
    challenger: Challenger | None,
    comparison: Comparison,
    *,
    interactions: pl.DataFrame,
    catalogue: pl.DataFrame,
    delta_versions: Mapping[str, int],
    positions: Mapping[int, int],
    checks: Mapping[str, bool],
) -> Publication:
    """Do what the gate decided: publish the challenger or the stopgap, or leave what serves; then tell MLflow.

    While a rollback holds, what serves stays.
    """
    published: Manifest | None = None
    hold: str | None = None
    if result.outcome is not GateOutcome.KEEP:
        promoted = challenger if result.outcome is GateOutcome.PROMOTE else None
        name = promoted.name if promoted else STOPGAP
        provenance = Provenance(
            created_at=datetime.now(UTC),
            metrics={split: metrics.figures() for split, metrics in comparison.of(name).items()},
            reasons=result.reasons,
            mlflow_run_id=promoted.mlflow_run_id if promoted else comparison.mlflow_runs.get(name),
            mlflow_model_version=promoted.mlflow_model_version if promoted else None,
            delta_versions=delta_versions,
            positions=positions,
            checks=checks,
        )
        try:
            published = _publish(settings, promoted, comparison, interactions, catalogue, provenance)
        except RollbackHolds as error:
            hold = str(error)
    reasons = [*result.reasons, *([hold] if hold else [])]
    return Publication(published, hold, _tell_registry(settings, challenger, passed=result.passed, reasons=reasons))


def _publish(
    settings: Settings,
    promoted: Challenger | None,
    comparison: Comparison,
    interactions: pl.DataFrame,
    catalogue: pl.DataFrame,
    provenance: Provenance,
) -> Manifest:
    store = BundleStore(settings.paths.bundles)
    if (held := store.hold()) is not None:  # before a stopgap is fitted in vain
        raise RollbackHolds(held.reason)
    name = promoted.name if promoted else STOPGAP
    parameters = promoted.parameters if promoted else comparison.parameters.get(STOPGAP, {})
    model = promoted.model if promoted else _fit_stopgap(settings.learning.seed, parameters, interactions, catalogue)
    published = store.publish(
        model, name=name, parameters=parameters, interactions=interactions, items=catalogue, provenance=provenance
    )
    store.prune(keep=settings.learning.bundles_kept)
    return published


def _fit_stopgap(
    seed: int, parameters: Mapping[str, Any], interactions: pl.DataFrame, catalogue: pl.DataFrame
) -> Model:
    data = TrainingData.of(interactions, catalogue=catalogue, seed=seed)
    return build_recommender(STOPGAP, parameters).fit(data)


def _tell_registry(
    settings: Settings, challenger: Challenger | None, *, passed: bool, reasons: Sequence[str]
) -> str | None:
    """Record the judgement of the challenger and set the champion to what serves; returns the problem, if any."""
    if challenger is not None:
        Tracking(settings.mlflow, settings.paths).judge(challenger.mlflow_model_version, passed=passed, reasons=reasons)
    return align_champion(settings.mlflow, settings.paths).problem
