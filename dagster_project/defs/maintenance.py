"""Maintenance of the tables as an asset with its own job and schedule.

`heed up` runs maintenance in its own process; a pass from here waits for that one, and its metadata show over time what
the tables cost. It is not part of the loop and takes none of its locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from dagster_project.defs.resources import SharedHome
from dagster_project.lib.failures import clear_failures
from dagster_project.lib.metadata import markdown_table
from dagster_project.lib.stages import CODE_VERSION, DATA_OWNERS, UPKEEP
from feedback.settings.home import load_settings

if TYPE_CHECKING:
    from lakehouse.maintenance.run import MaintenanceReport

UPKEEP_POOL = "upkeep"
HOURLY = "7 * * * *"
"""Off the hour, when the nightly loop starts."""
WAIT_SECONDS = 900.0
"""How long to wait for the pass of another process: closing a large day takes minutes."""


@dg.asset(
    group_name=UPKEEP,
    kinds={"delta"},
    owners=DATA_OWNERS,
    pool=UPKEEP_POOL,
    code_version=CODE_VERSION,
)
def lake_upkeep(shared_home: SharedHome) -> dg.MaterializeResult[None]:
    """Every table compacted and clustered, checkpoints written, old files, orphans and log entries removed.

    Landing goes on meanwhile. What could not be done is named in the metadata and is tried again in the next pass.
    Dagster's own runs beyond the retention go as well: this job's come every hour, whether or not the loop runs.
    """
    from dagster_project.retention import prune_beside_the_loop
    from feedback.intake import utc_now
    from lakehouse.maintenance.run import run_maintenance
    from models.bundle.store import BundleStore
    from online.trimming import trim_stores

    with clear_failures():
        settings = shared_home.settings
        report = run_maintenance(settings, owner="Dagster's asset lake_upkeep", wait_seconds=WAIT_SECONDS)
        learned = BundleStore(settings.paths.bundles).learned_positions()
        trimmed = trim_stores(settings, now=utc_now(), learned=learned)
    pruned = prune_beside_the_loop(settings, dg.AssetExecutionContext.get().instance, now=utc_now())
    problems = [*report.problems, *pruned.problems]
    for problem in problems:
        dg.get_dagster_logger().warning(f"left for later: {problem}")
    figures: dict[str, Any] = {
        "problems": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in problems) or "none"),
        "log_records_trimmed": trimmed.log_records,
        "online_events_trimmed": trimmed.online_events,
        "dagster_runs_removed": pruned.removed.get("Dagster runs", 0),
    }
    return dg.MaterializeResult(metadata={**_figures_of_pass(report), **figures})


def _figures_of_pass(report: MaintenanceReport) -> dict[str, Any]:
    header = ["table", "files before", "files after", "bytes after", "replaced removed", "orphans removed"]
    rows = [
        [t.table, t.files_before, t.files_after, t.bytes_after, t.replaced_removed, t.orphans_removed]
        for t in report.tables
    ]
    return {
        "tables": dg.MetadataValue.md(markdown_table(header, rows)),
        "files_before": sum(table.files_before for table in report.tables),
        "files_after": sum(table.files_after for table in report.tables),
        "bytes_before": sum(table.bytes_before for table in report.tables),
        "bytes_after": sum(table.bytes_after for table in report.tables),
        "orphans_removed": report.orphans_removed,
        "replaced_files_removed": sum(table.replaced_removed for table in report.tables),
        "log_entries_removed": sum(table.commits_removed for table in report.tables),
        "duration_seconds": round(report.seconds, 3),
        "peak_memory_bytes": report.peak_bytes,
        "memory_cap_bytes": report.cap_bytes,
    }


@dg.definitions
def maintenance() -> dg.Definitions:
    """The job and its hourly schedule, on by default: without new files a pass takes a second."""
    job = dg.define_asset_job(
        "upkeep",
        selection=dg.AssetSelection.groups(UPKEEP),
        description="Keep the tables fast and small.",
        executor_def=dg.in_process_executor,
    )
    schedule = dg.ScheduleDefinition(
        name="hourly_upkeep",
        job=job,
        cron_schedule=HOURLY,
        execution_timezone=load_settings().learning.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once an hour; beside the maintenance process of `heed up` it finds little to do.",
    )
    return dg.Definitions(assets=[lake_upkeep], jobs=[job], schedules=[schedule])
