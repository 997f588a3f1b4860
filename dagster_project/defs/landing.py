"""Landing: what the gateway accepted becomes rows of the lake."""

from __future__ import annotations

import dagster as dg

from dagster_project.defs.resources import HeedHome, LakeResource
from dagster_project.lib.failures import RETRY_STORAGE, clear_failures
from dagster_project.lib.handover import TableVersion, positions_of
from dagster_project.lib.metadata import counts_table, table_metadata
from dagster_project.lib.stages import CODE_VERSION, DATA_OWNERS, FRESH_ENOUGH, LANDING, table_pool
from dagster_project.starting import positions_text


@dg.asset(
    group_name=LANDING,
    kinds={"beam", "delta"},
    owners=DATA_OWNERS,
    pool=table_pool("feedback"),
    code_version=CODE_VERSION,
    retry_policy=RETRY_STORAGE,
    freshness_policy=FRESH_ENOUGH,
)
def landed_feedback(heed: HeedHome, lake: LakeResource) -> dg.MaterializeResult[TableVersion]:
    """One row per clean event, appended exactly once by the Beam job; refused events and duplicates are quarantined.

    Drains the feedback log up to its end and hands on the table's version, from which everything after it is built.
    """
    from beam_jobs.landing import drain
    from feedback.errors import NotEnoughFeedback
    from lakehouse.tables.specs import FEEDBACK

    with clear_failures():
        report = drain(heed.settings)
        opened = lake.open()
        version = opened.version(FEEDBACK)
        rows = None if version is None else opened.scan(FEEDBACK, version=version)
        count = 0 if rows is None else _count(rows)
        if version is None or rows is None or count == 0:  # landing an empty log still makes the table
            raise NotEnoughFeedback("nothing has landed yet; send events to the gateway, or use `heed ingest FILE`")
        positions = positions_of(rows)
        landed = TableVersion("feedback", version, rows=count, feedback_version=version, positions=positions)
    dg.get_dagster_logger().info(
        f"landed {report.landed:,} of {report.events:,} events, {report.events_per_second:,.0f} a second"
    )
    outcomes = {"landed": report.landed, "duplicates": report.duplicates, "quarantined": report.quarantined}
    return dg.MaterializeResult(
        value=landed,
        metadata={
            **table_metadata(FEEDBACK, landed, uri=opened.uri(FEEDBACK)),
            "outcomes": dg.MetadataValue.md(counts_table("outcome", outcomes)),
            "codes": dg.MetadataValue.md(counts_table("code", report.codes)),
            "code_counts": report.codes,
            **outcomes,
            "batches": report.batches,
            "events_per_second": round(report.events_per_second),
            "startup_seconds": round(report.startup_seconds, 3),
            "committed_positions": positions_text(report.positions),
        },
    )


def _count(rows: object) -> int:
    import polars as pl

    assert isinstance(rows, pl.LazyFrame)
    return int(rows.select(pl.len()).collect().item())
