"""Record a comparison: runs in MLflow and rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import polars as pl

from feedback.errors import NotEnoughFeedback
from feedback.settings.home import Settings
from lakehouse.lake import Lake
from lakehouse.tables.evaluations import EVALUATIONS
from models.bundle.store import BundleStore
from models.evaluation.comparison import Evaluation, evaluate
from models.evaluation.splits import GLOBAL_TIME, STRATIFIED
from models.learning.comparison import Comparison, build_comparison
from models.learning.inputs import serving_now
from models.recommenders.training_data import TrainingData
from models.tracking.runs import FitRecord, Tracking


def compare_and_record(
    settings: Settings,
    lake: Lake,
    data: TrainingData,
    *,
    evaluation_id: str,
    delta_versions: Mapping[str, int],
    progress: Callable[[str], None],
) -> tuple[Comparison, int | None]:
    """Compare the registered recommenders and the one that serves; returns the new version of `evaluations` too.

    Where there is too little feedback nothing is measured or recorded, and the comparison says why.
    """
    champion = serving_now(BundleStore(settings.paths.bundles))
    try:
        evaluation = evaluate(data, k=settings.serving.list_length, champion=champion, progress=progress)
    except NotEnoughFeedback as error:
        return Comparison(evaluation_id, (), {}, missing=dict.fromkeys((STRATIFIED, GLOBAL_TIME), str(error))), None
    runs = record_fits(settings, evaluation, delta_versions=delta_versions, dagster_run_id=evaluation_id)
    version = append_evaluation(lake, evaluation, evaluation_id=evaluation_id)
    serving = champion.name if champion else None
    return build_comparison(evaluation, evaluation_id=evaluation_id, mlflow_runs=runs, serving=serving), version


def record_fits(
    settings: Settings, evaluation: Evaluation, *, delta_versions: Mapping[str, int], dagster_run_id: str
) -> dict[str, str]:
    """One MLflow run per recommender that was judged; returns the runs' ids by recommender."""
    tracking = Tracking(settings.mlflow, settings.paths)
    parameters = {card.recommender: dict(card.parameters) for card in evaluation.scorecards}
    return {
        name: tracking.record(
            FitRecord(
                recommender=name,
                parameters=chosen,
                metrics=evaluation.populations_of(name),
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
