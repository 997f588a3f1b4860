"""Publishing: the bundle that serving reads, and the pages about the data behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_project.defs.checks import ASSET_OF, load_for
from dagster_project.defs.resources import HeedHome, LakeResource
from dagster_project.lib.failures import clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.stages import (
    BUNDLE_POOL,
    CHECKS,
    CODE_VERSION,
    DATA_OWNERS,
    FRESH_ENOUGH,
    LEARNING_OWNERS,
    PUBLISHING,
)
from dagster_project.lib.starting import positions_text
from dagster_project.past_runs import POSITIONS
from expectations.suites.registry import SUITES
from models.evaluation.gate import GateResult
from models.learning.challenger import Challenger
from models.learning.comparison import Comparison

if TYPE_CHECKING:
    from models.learning.publication import Publication


@dg.asset(
    group_name=PUBLISHING,
    kinds={"numpy"},
    owners=LEARNING_OWNERS,
    pool=BUNDLE_POOL,
    code_version=CODE_VERSION,
    freshness_policy=FRESH_ENOUGH,
)
def published_bundle(
    gate: GateResult,
    challenger: Challenger | None,
    evaluations: Comparison,
    interactions: TableVersion,
    items: TableVersion,
    heed: HeedHome,
    lake: LakeResource,
) -> dg.MaterializeResult[str | None]:
    """The model artifact that serving swaps in, by moving one pointer.

    A model that passed the gate is published. Where it refused, the learned model that serves now stays; where
    none serves yet, decayed popularity is published, so that serving always has an answer. While a rollback holds,
    nothing is published.
    """
    from lakehouse.tables.interactions import INTERACTIONS
    from lakehouse.tables.items import ITEMS
    from models.learning.publication import publish

    with clear_failures():
        opened = lake.open()
        publication = publish(
            heed.settings,
            gate,
            challenger,
            evaluations,
            interactions=opened.scan(INTERACTIONS, version=interactions.version).collect(),
            catalogue=opened.scan(ITEMS, version=items.version).collect(),
            delta_versions={
                "feedback": interactions.feedback_version,
                "interactions": interactions.version,
                "items": items.version,
            },
            positions=interactions.positions,
            checks=_checks_of_run(),
        )
    return _told(publication, gate, interactions, folder=heed.settings.paths.bundles)


def _told(
    publication: Publication, gate: GateResult, interactions: TableVersion, *, folder: Path
) -> dg.MaterializeResult[str | None]:
    """The published version, or None, with what Dagster's page shows of it."""
    manifest = publication.manifest
    told: dict[str, Any] = {
        POSITIONS: positions_text(interactions.positions),
        "action": gate.outcome.value,
    }
    if publication.registry_problem is not None:
        dg.get_dagster_logger().warning(f"{publication.registry_problem}; the next run tells it what serves")
        told["registry_problem"] = publication.registry_problem
    if publication.hold is not None:
        told["hold"] = publication.hold
    if manifest is None:
        told["kept"] = publication.hold or "; ".join(gate.reasons)
        return dg.MaterializeResult(value=None, metadata=told)
    return dg.MaterializeResult(
        value=manifest.version,
        metadata={
            **told,
            "published_version": manifest.version,
            "recommender": manifest.recommender,
            "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in manifest.reasons)),
            "items": manifest.n_items,
            "subjects": manifest.n_subjects,
            "bytes": sum(file.bytes for file in manifest.files.values()),
            "folder": dg.MetadataValue.path(str(folder / manifest.version)),
        },
        data_version=dg.DataVersion(manifest.version),
    )


@dg.asset(
    group_name=CHECKS,
    ins={name: dg.AssetIn(ASSET_OF[name]) for name in SUITES},
    kinds={"greatexpectations"},
    owners=DATA_OWNERS,
    code_version=CODE_VERSION,
)
def data_docs(heed: HeedHome, lake: LakeResource, **tables: TableVersion) -> dg.MaterializeResult[None]:
    """Great Expectations' pages: every suite, and what it found in the rows that this run learned from."""
    from dagster_project.lib.metadata import markdown_table
    from expectations.data_docs import write_data_docs

    with clear_failures():
        opened = lake.open()
        loaded = {suite: load_for(suite, opened, tables[name], tables["items"]) for name, suite in SUITES.items()}
        catalogue = next((known for _, known in loaded.values() if known is not None), None)
        frames = {suite: rows for suite, (rows, _) in loaded.items() if not rows.is_empty()}
        site = heed.settings.paths.docs_site
        documented = write_data_docs(site, frames, catalogue=catalogue)
    rows = [[one.suite, one.met, one.expectations, one.rows] for one in documented]
    return dg.MaterializeResult(
        metadata={
            "suites": dg.MetadataValue.md(markdown_table(["suite", "met", "expectations", "rows"], rows)),
            "site": dg.MetadataValue.path(str(site / "index.html")),
        }
    )


def _checks_of_run() -> dict[str, bool]:
    """Every check that this run has evaluated, and whether it held."""
    context = dg.AssetExecutionContext.get()
    records = context.instance.get_records_for_run(
        context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION, limit=1000
    ).records
    found: dict[str, bool] = {}
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is not None:
            data = event.asset_check_evaluation_data
            found[f"{data.asset_key.to_user_string()}.{data.check_name}"] = data.passed
    return found
