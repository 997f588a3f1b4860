"""Learning: recommenders side by side, the challenger fitted on everything, and the gate's decision."""

from __future__ import annotations

import dagster as dg

from dagster_project.defs.resources import HeedHome, LakeResource, TrackingResource
from dagster_project.lib.comparison import Challenger, Comparison, Verdict
from dagster_project.lib.failures import RETRY_STORAGE, clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.stages import CODE_VERSION, LEARNING, LEARNING_OWNERS, MODELS_POOL, table_pool
from dagster_project.progress import tell


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
    from dagster_project.learning import append_evaluation, load_training_data, record_fits, serving_now
    from dagster_project.lib.comparison import build_comparison, challenger_figures, figures
    from feedback.errors import NotEnoughFeedback
    from models.evaluation.comparison import evaluate

    settings = heed.settings
    evaluation_id = dg.AssetExecutionContext.get().run.run_id
    with clear_failures():
        data = load_training_data(settings, lake.open(), interactions, items)
        champion = serving_now(settings)
        try:
            evaluation = evaluate(data, k=settings.serving.list_length, champion=champion, progress=tell)
        except NotEnoughFeedback as error:
            tell(f"nothing is compared: {error}")
            unjudged = Comparison(evaluation_id, (), {}, missing={"stratified": str(error), "global_time": str(error)})
            return dg.MaterializeResult(value=unjudged, metadata={"figures": [], "not_judged": str(error)})
        versions = {"interactions": interactions.version, "items": items.version}
        runs = record_fits(settings, evaluation, delta_versions=versions, dagster_run_id=evaluation_id)
        table_version = append_evaluation(lake.open(), evaluation, evaluation_id=evaluation_id)
    comparison = build_comparison(
        evaluation, evaluation_id=evaluation_id, mlflow_runs=runs, serving=champion.name if champion else None
    )
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
    from dagster_project.learning import fit_challenger, load_training_data
    from models.recommenders.registry import CHALLENGER

    if CHALLENGER not in evaluations.parameters:
        return dg.MaterializeResult(value=None, metadata={"not_fitted": "there is too little feedback to judge it"})
    settings = heed.settings
    with clear_failures():
        data = load_training_data(settings, lake.open(), interactions, items)
        tell(f"fitting {CHALLENGER} on {data.interactions.height:,} interactions")
        versions = {"interactions": interactions.version, "items": items.version}
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
def gate(evaluations: Comparison, heed: HeedHome) -> dg.MaterializeResult[Verdict]:
    """Whether the challenger may serve: compared with decayed popularity and with what serves now.

    While a rollback holds it is judged all the same, and not published.
    """
    from dagster_project.lib.comparison import CHAMPION, rulings_table
    from models.bundle.store import BundleStore
    from models.evaluation.gate import Action, decide
    from models.recommenders.registry import CHALLENGER, STOPGAP

    decision = decide(
        evaluations.of(CHALLENGER),
        evaluations.of(STOPGAP),
        champion=evaluations.of(CHAMPION) or None,
        known=evaluations.known_people(),
        serving=evaluations.serving,
        missing=evaluations.missing,
    )
    held = BundleStore(heed.settings.paths.bundles).hold()
    reasons = [*decision.reasons, *([held.reason] if held else [])]
    told = {
        "approved": decision.passed,
        "action": Action.KEEP.value if held else decision.action.value,
        "reasons": reasons,
        "hold": held.reason if held else None,
        "challenger": CHALLENGER,
        "champion": evaluations.serving,
    }
    return dg.MaterializeResult(
        value=Verdict(decision, CHALLENGER, evaluations.serving),
        metadata={
            "decision": ("passed" if decision.passed else f"refused: {decision.action.value}")
            + (", not published: a rollback holds" if held else ""),
            "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in reasons)),
            "rulings": dg.MetadataValue.md(rulings_table(decision)),
            "gate": told,
        },
    )


@dg.asset_check(asset=gate)
def challenger_passed(gate: Verdict) -> dg.AssetCheckResult:
    """The challenger may serve. Where it may not, the present model stays, or popularity serves."""
    decision = gate.decision
    reasons = "; ".join(decision.reasons)
    return dg.AssetCheckResult(
        passed=decision.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=reasons,
        metadata={
            "severity": "warning",
            "observed": reasons,
            "unexpected": sum(not ruling.holds for ruling in decision.rulings),
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
