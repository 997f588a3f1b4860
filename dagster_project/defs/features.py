"""Features: the catalogue and the signed interactions, built anew from checked feedback."""

from __future__ import annotations

import dagster as dg

from dagster_project.defs.resources import LakeResource
from dagster_project.lib.failures import RETRY_STORAGE, clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.metadata import table_metadata
from dagster_project.lib.stages import CODE_VERSION, DATA_OWNERS, FEATURES, table_pool


@dg.asset(
    group_name=FEATURES,
    kinds={"polars", "delta"},
    owners=DATA_OWNERS,
    pool=table_pool("items"),
    code_version=CODE_VERSION,
    retry_policy=RETRY_STORAGE,
)
def items(landed_feedback: TableVersion, lake: LakeResource) -> dg.MaterializeResult[TableVersion]:
    """One row per item: its latest good catalogue entry, out of feedback of kind `item`."""
    from dagster_project.lib.catalogue import build_catalogue
    from dagster_project.lib.learned import catalogue_events
    from lakehouse.tables.specs import FEEDBACK, ITEMS

    with clear_failures():
        opened = lake.open()
        catalogue = build_catalogue(catalogue_events(opened.scan(FEEDBACK, version=landed_feedback.version)))
        rows = catalogue.rows
        version = opened.overwrite(ITEMS, rows)
    built = TableVersion("items", version, rows.height, landed_feedback.version, landed_feedback.positions)
    return dg.MaterializeResult(
        value=built,
        metadata={
            **table_metadata(ITEMS, built, uri=opened.uri(ITEMS)),
            "available": int(rows["available"].sum()),
            "categories": int(rows["categories"].explode().n_unique()) if rows.height else 0,
            "left_out": dict(catalogue.left_out_by_rule),
        },
    )


@dg.asset(
    group_name=FEATURES,
    kinds={"polars", "delta"},
    owners=DATA_OWNERS,
    pool=table_pool("interactions"),
    code_version=CODE_VERSION,
    retry_policy=RETRY_STORAGE,
)
def interactions(landed_feedback: TableVersion, lake: LakeResource) -> dg.MaterializeResult[TableVersion]:
    """One row per (subject, item): a signed preference and a weight, out of every kind of feedback."""
    from dagster_project.lib.learned import interactions_of
    from dagster_project.lib.plots import preference_histogram
    from lakehouse.tables.specs import FEEDBACK, INTERACTIONS

    with clear_failures():
        opened = lake.open()
        learned = interactions_of(opened.scan(FEEDBACK, version=landed_feedback.version))
        rows = learned.rows
        version = opened.overwrite(INTERACTIONS, rows)
    built = TableVersion("interactions", version, rows.height, landed_feedback.version, landed_feedback.positions)
    return dg.MaterializeResult(
        value=built,
        metadata={
            **table_metadata(INTERACTIONS, built, uri=opened.uri(INTERACTIONS)),
            "subjects": rows["subject"].n_unique(),
            "items": rows["item_id"].n_unique(),
            "liked": int((rows["preference"] > 0).sum()),
            "disliked": int((rows["preference"] < 0).sum()),
            "events_left_out": learned.events_left_out,
            "left_out": dict(learned.left_out),
            "preferences": dg.MetadataValue.md(preference_histogram(rows["preference"].to_numpy())),
        },
    )
