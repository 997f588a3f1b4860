"""What the learning assets call: load pinned versions, record fits, fit the challenger, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from dagster_project.lib.comparison import Challenger, Comparison, Verdict
from dagster_project.lib.handover import TableVersion
from feedback.errors import BundleCorrupt, LearningError, NoModel, RollbackHolds
from feedback.settings.home import Settings
from lakehouse.lake import Lake
from lakehouse.tables.specs import EVALUATIONS, INTERACTIONS, ITEMS
from models.bundle.bundle import Manifest, Provenance
from models.bundle.store import BundleStore
from models.evaluation.comparison import Evaluation
from models.evaluation.gate import Action
from models.recommenders.recommender import Model, Recommender
from models.recommenders.registry import CHALLENGER, STOPGAP, build_recommender
from models.recommenders.training_data import TrainingData
from models.tracking.champion import align_champion
from models.tracking.runs import FitRecord, Tracking

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession


def load_training_data(settings: Settings, lake: Lake, interactions: TableVersion, items: TableVersion) -> TrainingData:
    """The interactions at the version that was checked, and every item that can be listed."""
    frame = lake.scan(INTERACTIONS, version=interactions.version).collect().sort("subject", "item_id")
    catalogue = lake.scan(ITEMS, version=items.version).collect()
    return TrainingData.of(frame, catalogue=catalogue, seed=settings.learning.seed, session=session_of(settings))


def session_of(settings: Settings) -> Callable[[], SparkSession]:
    """Starts Spark when it is first called."""

    def session() -> SparkSession:
        from models.spark import spark_session

        return spark_session(settings)

    return session


def serving_now(settings: Settings) -> Recommender | None:
    """The recommender behind the current bundle, to be fitted afresh for a fair comparison; None where none serves."""
    try:
        manifest = BundleStore(settings.paths.bundles).load().manifest
        return build_recommender(manifest.recommender, manifest.parameters)
    except (NoModel, BundleCorrupt, LearningError):  # nothing that could be compared with serves
        return None


def record_fits(
    settings: Settings, evaluation: Evaluation, *, delta_versions: Mapping[str, int], dagster_run_id: str
) -> dict[str, str]:
    """One MLflow run per recommender that was judged; returns the runs' ids by recommender."""
    tracking = Tracking(settings)
    parameters = {card.recommender: dict(card.parameters) for card in evaluation.scorecards}
    return {
        name: tracking.record(
            FitRecord(
                recommender=name,
                parameters=chosen,
                metrics=evaluation.of(name),
                known=evaluation.known_of(name),
                delta_versions=delta_versions,
                seed=settings.learning.seed,
                tags={"dagster_run_id": dagster_run_id, "fit": "evaluation"},
            )
        )
        for name, chosen in parameters.items()
    }


def append_evaluation(lake: Lake, evaluation: Evaluation, *, evaluation_id: str) -> int:
    """Add the figures to the table `evaluations`; returns its new version."""
    rows = evaluation.frame().with_columns(
        evaluation_id=pl.lit(evaluation_id),
        evaluated_at=pl.lit(datetime.now(UTC), dtype=pl.Datetime("us", "UTC")),
    )
    return lake.append(EVALUATIONS, rows.select(EVALUATIONS.names))


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
    tracking = Tracking(settings)
    run_id = tracking.record(
        FitRecord(
            recommender=CHALLENGER,
            parameters=parameters,
            metrics=comparison.of(CHALLENGER),
            known=comparison.known_of(CHALLENGER),
            delta_versions=delta_versions,
            seed=settings.learning.seed,
            tags={"dagster_run_id": comparison.evaluation_id, "fit": "everything"},
        )
    )
    registered = tracking.register(
        run_id, model, name=CHALLENGER, parameters=parameters, items=data.catalogue, created_at=datetime.now(UTC)
    )
    return Challenger(CHALLENGER, parameters, model, run_id, registered.version)


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of a verdict."""

    manifest: Manifest | None = None
    """Of the bundle that serves from now on; None where nothing new was published."""
    hold: str | None = None
    """Why a rollback kept the bundle back, if one did."""
    registry_problem: str | None = None
    """Why MLflow could not be told, if so; the next run tells it."""


def publish(
    settings: Settings,
    verdict: Verdict,
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
    decision = verdict.decision
    published: Manifest | None = None
    hold: str | None = None
    if decision.action is not Action.KEEP:
        promoted = challenger if decision.action is Action.PROMOTE else None
        name = promoted.name if promoted else STOPGAP
        provenance = Provenance(
            created_at=datetime.now(UTC),
            metrics={split: metrics.figures() for split, metrics in comparison.of(name).items()},
            reasons=decision.reasons,
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
    reasons = [*decision.reasons, *([hold] if hold else [])]
    return Publication(published, hold, _tell_registry(settings, challenger, passed=decision.passed, reasons=reasons))


def _publish(
    settings: Settings,
    promoted: Challenger | None,
    comparison: Comparison,
    interactions: pl.DataFrame,
    catalogue: pl.DataFrame,
    provenance: Provenance,
) -> Manifest:
    store = BundleStore(settings.paths.bundles)
    if (held := store.hold()) is not None:  # before a stopgap is fitted for nothing
        raise RollbackHolds(held.reason)
    name = promoted.name if promoted else STOPGAP
    parameters = promoted.parameters if promoted else comparison.parameters.get(STOPGAP, {})
    model = promoted.model if promoted else _fit_stopgap(settings, parameters, interactions, catalogue)
    published = store.publish(
        model, name=name, parameters=parameters, interactions=interactions, items=catalogue, provenance=provenance
    )
    store.prune(keep=settings.learning.bundles_kept)
    return published


def _fit_stopgap(
    settings: Settings, parameters: Mapping[str, Any], interactions: pl.DataFrame, catalogue: pl.DataFrame
) -> Model:
    data = TrainingData.of(interactions, catalogue=catalogue, seed=settings.learning.seed)
    return build_recommender(STOPGAP, parameters).fit(data)


def _tell_registry(
    settings: Settings, challenger: Challenger | None, *, passed: bool, reasons: Sequence[str]
) -> str | None:
    """Note the judgement on the challenger and let the champion be what serves; says what went wrong."""
    if challenger is not None:
        Tracking(settings).judge(challenger.mlflow_model_version, passed=passed, reasons=reasons)
    return align_champion(settings).problem
