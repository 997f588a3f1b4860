"""What a comparison leaves behind: runs in MLflow and rows of the table `evaluations`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from feedback.settings.home import Settings
from lakehouse.lake import Lake
from lakehouse.tables.specs import EVALUATIONS
from models.evaluation.comparison import Evaluation
from models.tracking.runs import FitRecord, Tracking


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
