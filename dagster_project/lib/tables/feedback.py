"""The asset `landed_feedback`: what the gateway accepted becomes rows of the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from dagster_project.lib.handover import TableVersion, positions_of
from dagster_project.lib.metadata import counts_table
from dagster_project.lib.stages import LANDING
from dagster_project.lib.starting import positions_text
from dagster_project.lib.table_asset import CommittedVersion, Inputs, Report, TableAsset
from feedback.errors import NotEnoughFeedback
from lakehouse.tables.feedback import FEEDBACK

if TYPE_CHECKING:
    from beam_jobs.landing import LandingReport
    from lakehouse.lake import Lake


def build(inputs: Inputs) -> CommittedVersion:
    """Drain the feedback log up to its end.

    Raises:
        NotEnoughFeedback: Nothing has landed yet.
    """
    from beam_jobs.landing import drain

    report = drain(inputs.settings)
    return CommittedVersion(landed_version(inputs.lake), landing_report(report))


def landed_version(lake: Lake) -> TableVersion:
    """The current version of `feedback`, from which everything after it is built.

    Raises:
        NotEnoughFeedback: It has no rows: landing an empty log still makes the table.
    """
    version = lake.version(FEEDBACK)
    rows = None if version is None else lake.scan(FEEDBACK, version=version)
    count = 0 if rows is None else int(rows.select(pl.len()).collect().item())
    if version is None or rows is None or count == 0:
        raise NotEnoughFeedback("nothing has landed yet; send events to the gateway, or use `heed ingest FILE`")
    return TableVersion("feedback", version, rows=count, feedback_version=version, positions=positions_of(rows))


def landing_report(report: LandingReport) -> Report:
    """What landing did with the events that were waiting."""
    outcomes = {"landed": report.landed, "duplicates": report.duplicates, "quarantined": report.quarantined}
    return Report(
        figures={
            "code_counts": report.codes,
            **outcomes,
            "batches": report.batches,
            "events_per_second": round(report.events_per_second),
            "startup_seconds": round(report.startup_seconds, 3),
            "committed_positions": positions_text(report.positions),
        },
        pages={"outcomes": counts_table("outcome", outcomes), "codes": counts_table("code", report.codes)},
        note=f"landed {report.landed:,} of {report.events:,} events, {report.events_per_second:,.0f} a second",
    )


FEEDBACK_ASSET = TableAsset(
    spec=FEEDBACK,
    title="feedback",
    description="One row per clean event, appended exactly once by the Beam job; refused events and duplicates are "
    "quarantined.\n\nDrains the feedback log up to its end and hands on the table's version, from which everything "
    "after it is built.",
    build=build,
    verb="Land",
    asset="landed_feedback",
    group=LANDING,
    kinds=frozenset({"beam", "delta"}),
    replaces=False,
    watched=True,
)
