"""The tables of the loop as assets, each made from its `TableAsset`."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.defs.resources import HeedHome, LakeResource
from dagster_project.lib.failures import RETRY_STORAGE, clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.metadata import table_metadata
from dagster_project.lib.stages import CODE_VERSION, DATA_OWNERS, FRESH_ENOUGH, table_pool
from dagster_project.lib.table_asset import CommittedVersion, Inputs, Report, TableAsset, version_of
from dagster_project.lib.tables.registry import TABLE_ASSETS


def build_table_asset(table: TableAsset) -> dg.AssetsDefinition:
    """The asset that builds a table, at its place behind the tables that it is built from."""

    @dg.asset(
        name=table.name,
        ins={source: dg.AssetIn(TABLE_ASSETS[source].name) for source in table.spec.built_from},
        description=table.description,
        group_name=table.group,
        kinds=set(table.kinds),
        owners=DATA_OWNERS,
        pool=table_pool(table.spec.name),
        code_version=CODE_VERSION,
        retry_policy=RETRY_STORAGE,
        freshness_policy=FRESH_ENOUGH if table.watched else None,
    )
    def built(heed: HeedHome, lake: LakeResource, **sources: TableVersion) -> dg.MaterializeResult[TableVersion]:
        with clear_failures():
            inputs = Inputs(heed.settings, lake.open(), sources)
            version, report = commit(table, inputs)
        if report.note:
            dg.get_dagster_logger().info(report.note)
        return dg.MaterializeResult(
            value=version,
            metadata={**table_metadata(table.spec, version, uri=inputs.lake.uri(table.spec)), **shown(report)},
            data_version=dg.DataVersion(str(version.version)),
        )

    return built


def commit(table: TableAsset, inputs: Inputs) -> tuple[TableVersion, Report]:
    """Build the table; the version that holds it now, and what the builder says of it."""
    result = table.build(inputs)
    if isinstance(result, CommittedVersion):
        return result.version, result.report
    number = inputs.lake.overwrite(table.spec, result.rows)
    return version_of(table.spec, inputs, version=number, rows=result.rows.height), result.report


def shown(report: Report) -> dict[str, Any]:
    """A builder's report as Dagster's metadata."""
    return {**report.figures, **{name: dg.MetadataValue.md(text) for name, text in report.pages.items()}}


@dg.definitions
def tables() -> dg.Definitions:
    """One asset per table."""
    return dg.Definitions(assets=[build_table_asset(table) for table in TABLE_ASSETS.values()])
