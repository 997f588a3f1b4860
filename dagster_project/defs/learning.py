"""Learning: recommenders side by side, the challenger fitted on everything, and the gate's result."""

from __future__ import annotations

import dagster as dg

from dagster_project.defs.resources import HeedHome, LakeResource, TrackingResource
from dagster_project.lib.failures import RETRY_STORAGE, clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.stages import CODE_VERSION, LEARNING, LEARNING_OWNERS, MODELS_POOL, table_pool
from dagster_project.progress import tell
from models.evaluation.gate import GateResult
from models.learning.challenger import Challenger
from models.learning.comparison import Comparison


@dg.asset(
    group_name=LEARNING,
    kinds={"spark", "mlflow", "delta"},
    owners=LEARNING_OWNERS,
    pool=table_pool("evaluations"),
    code_version=CODE_VERSION,
    retry_policy=RETRY_STORAGE,
)
def evaluations(
    interactions: TableVersion, items: TableVersion, heed: HeedHome, lake: LakeResource, tracking: TrackingResource
) -> dg.MaterializeResult[Comparison]:
    """The registered recommenders side by side on two splits; parameters chosen inside train.

    Every fit is a run in MLflow; every figure is a row of the table `evaluations`.
    """
    from dagster_project.lib.comparison import challenger_figures, figures
    from models.learning.inputs import load_training_data
    from models.learning.records import compare_and_record

    settings, run_id = heed.settings, dg.AssetExecutionContext.get().run.run_id
    with clear_failures():
        versions = {"interactions": interactions.version, "items": items.version}
        data = load_training_data(settings, lake.open(), **versions)
        comparison, table_version = compare_and_record(
            settings, lake.open(), data, evaluation_id=run_id, delta_versions=versions, progress=tell
        )
    if table_version is None:
        reason = next(iter(comparison.missing.values()))
        tell(f"nothing is compared: {reason}")
        return dg.MaterializeResult(value=comparison, metadata={"figures": [], "not_judged": reason})
    runs = comparison.mlflow_runs
    return dg.MaterializeResult(
        value=comparison,
        metadata={
            "dagster/table_name": "evaluations",
            "table_version": table_version,
            "figures": figures(comparison),
            **challenger_figures(comparison),
            **_pages(comparison),
            **{f"mlflow_{name}": dg.MetadataValue.url(tracking.run_url(run)) for name, run in runs.items()},
        },
    )


@dg.asset(
    group_name=LEARNING,
    kinds={"spark", "mlflow"},
    owners=LEARNING_OWNERS,
    pool=MODELS_POOL,
    code_version=CODE_VERSION,
    retry_policy=RETRY_STORAGE,
)
def challenger(
    evaluations: Comparison,
    interactions: TableVersion,
    items: TableVersion,
    heed: HeedHome,
    lake: LakeResource,
    tracking: TrackingResource,
) -> dg.MaterializeResult[Challenger | None]:
    """Signed ALS with the chosen parameters, fitted on every interaction and registered in MLflow."""
    from models.learning.challenger import fit_challenger
    from models.learning.inputs import load_training_data
    from models.recommenders.registry import CHALLENGER

    if CHALLENGER not in evaluations.parameters:
        return dg.MaterializeResult(value=None, metadata={"not_fitted": "there is too little feedback to judge it"})
    settings = heed.settings
    with clear_failures():
        versions = {"interactions": interactions.version, "items": items.version}
        data = load_training_data(settings, lake.open(), **versions)
        tell(f"fitting {CHALLENGER} on {data.interactions.height:,} interactions")
        fitted = fit_challenger(settings, evaluations, data, delta_versions=versions)
    return dg.MaterializeResult(
        value=fitted,
        metadata={
            "recommender": fitted.name,
            "parameters": dict(fitted.parameters),
            "interactions": data.interactions.height,
            "items": len(data.items),
            "mlflow_model_version": fitted.mlflow_model_version,
            "mlflow_run": dg.MetadataValue.url(tracking.run_url(fitted.mlflow_run_id)),
        },
    )


@dg.asset(
    group_name=LEARNING,
    kinds={"python"},
    owners=LEARNING_OWNERS,
    code_version=CODE_VERSION,
)
def gate(evaluations: Comparison, heed: HeedHome) -> dg.MaterializeResult[GateResult]:
    """Whether the challenger may serve: compared with decayed popularity and with what serves now.

    While a rollback holds it is judged, but not published.
    """
    import msgspec

    from dagster_project.lib.comparison import decision_line, gate_summary, rulings_table
    from models.bundle.store import BundleStore
    from models.learning.comparison import judge_challenger

    result = judge_challenger(evaluations)
    held = BundleStore(heed.settings.paths.bundles).hold()
    hold = held.reason if held else None
    summary = gate_summary(result, serving=evaluations.serving, hold=hold)
    return dg.MaterializeResult(
        value=result,
        metadata={
            "decision": decision_line(result, hold=hold),
            "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in summary.reasons)),
            "rulings": dg.MetadataValue.md(rulings_table(result)),
            "gate": msgspec.to_builtins(summary),
        },
    )


@dg.asset_check(asset=gate)
def challenger_passed(gate: GateResult) -> dg.AssetCheckResult:
    """The challenger may serve. Where it may not, the present model stays, or popularity serves."""
    reasons = "; ".join(gate.reasons)
    return dg.AssetCheckResult(
        passed=gate.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=reasons,
        metadata={
            "severity": "warning",
            "observed": reasons,
            "unexpected": sum(not ruling.holds for ruling in gate.rulings),
        },
    )


def _pages(comparison: Comparison) -> dict[str, dg.MetadataValue]:
    from dagster_project.lib.comparison import METRICS, figures_table, parameters_table
    from dagster_project.lib.plots import comparison as plotted

    pages: dict[str, dg.MetadataValue] = {}
    for split in comparison.splits:
        values = {name: comparison.of(name)[split].figures() for name in comparison.recommenders}
        pages[f"{split}_figures"] = dg.MetadataValue.md(figures_table(comparison, split=split))
        pages[f"{split}_plot"] = dg.MetadataValue.md(plotted(values, METRICS, title=f"{split} split"))
    pages["parameters"] = dg.MetadataValue.md(parameters_table(comparison))
    if comparison.missing:
        pages["not_judged"] = dg.MetadataValue.md("\n".join(f"- {s}: {why}" for s, why in comparison.missing.items()))
    return pages
