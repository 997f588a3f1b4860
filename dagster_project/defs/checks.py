"""Checks: one Great Expectations suite per table; a critical failure stops every later asset.

Only damage that no sender can cause is critical. A row that breaks a rule is left out of learning, and the check of its
rule warns with the number of such rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.defs.resources import HeedHome, LakeResource
from dagster_project.lib.failures import clear_failures
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.tables.registry import TABLE_ASSETS
from expectations.rules import Severity
from expectations.suite import Suite
from expectations.suites.registry import SUITES

if TYPE_CHECKING:
    import polars as pl

    from expectations.screening import Screening
    from expectations.validation import CheckRow
    from lakehouse.lake import Lake

ASSET_OF = {name: table.name for name, table in TABLE_ASSETS.items()}
"""By table, the asset that builds it."""

SEVERITIES = {
    Severity.CRITICAL: dg.AssetCheckSeverity.ERROR,
    Severity.WARNING: dg.AssetCheckSeverity.WARN,
    Severity.INFO: dg.AssetCheckSeverity.WARN,
}


def build_suite_checks(suite: Suite) -> dg.AssetChecksDefinition:
    """All rules of a suite as checks of its asset, found in one validation."""
    decorated = dg.multi_asset_check(
        name=TABLE_ASSETS[suite.name].suite_step,
        specs=check_specs(suite),
        description=f"The Great Expectations suite `{suite.name}`: {len(suite.rules)} rules.",
        compute_kind="greatexpectations",
        ins={
            "table": dg.AssetIn(key=ASSET_OF[suite.name]),
            **({"catalogue": dg.AssetIn(key=ASSET_OF["items"])} if suite.needs_catalogue else {}),
        },
    )

    def suite_alone(heed: HeedHome, lake: LakeResource, table: TableVersion) -> Iterator[dg.AssetCheckResult]:
        yield from run_suite(suite, table, None, heed=heed, lake=lake)

    def suite_with_catalogue(
        heed: HeedHome, lake: LakeResource, table: TableVersion, catalogue: TableVersion
    ) -> Iterator[dg.AssetCheckResult]:
        yield from run_suite(suite, table, catalogue, heed=heed, lake=lake)

    return decorated(suite_with_catalogue if suite.needs_catalogue else suite_alone)


def run_suite(
    suite: Suite, table: TableVersion, catalogue: TableVersion | None, *, heed: HeedHome, lake: LakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Validate the version that was just built, and report every rule."""
    from expectations.screening import Screening
    from expectations.validation import validate, with_counts

    with clear_failures():
        opened = lake.open()
        screening = Screening(opened.scan(suite.table, version=table.version), suite)
        rows, known = load_for(suite, opened, table, catalogue, screening=screening)
        found = with_counts(validate(suite, rows, catalogue=known), suite, screening.counts)
    if any(row.stops for row in found):
        _document_failure(suite, rows, known, heed)
    yield from (check_result(row) for row in found)


def check_specs(suite: Suite) -> list[dg.AssetCheckSpec]:
    """The suite's rules as Dagster knows them before anything has run."""
    return [
        dg.AssetCheckSpec(
            name=rule.name,
            asset=ASSET_OF[suite.name],
            description=f"{rule.meaning} ({rule.severity})",
            blocking=rule.severity is Severity.CRITICAL,
            additional_deps=[ASSET_OF["items"]] if suite.needs_catalogue else [],
            metadata={"severity": rule.severity.value, "expectation": rule.expectation},
        )
        for rule in suite.rules
    ]


def check_result(row: CheckRow) -> dg.AssetCheckResult:
    """What a rule found, as Dagster shows it."""
    return dg.AssetCheckResult(
        asset_key=ASSET_OF[row.suite],
        check_name=row.name,
        passed=row.success,
        severity=SEVERITIES[row.severity],
        description=row.observed,
        metadata={
            "severity": row.severity.value,
            "expectation": row.expectation,
            "observed": row.observed,
            "unexpected": row.unexpected,
            "rows": row.total,
            "left_out": row.left_out,
            **({"examples": "\n".join(row.examples)} if row.examples else {}),
        },
    )


def load_for(
    suite: Suite,
    lake: Lake,
    table: TableVersion,
    catalogue: TableVersion | None,
    *,
    screening: Screening | None = None,
) -> tuple[pl.DataFrame, pl.Series | None]:
    """The rows that a suite looks at, and the catalogue's item ids where there are any to compare with."""
    from expectations.sampling import EXTREMES, rows_to_validate
    from expectations.screening import Screening
    from lakehouse.tables.items import ITEMS

    scan = lake.scan(suite.table, version=table.version)
    looked_at = screening or Screening(scan, suite)
    rows = rows_to_validate(scan, suite, also=lambda: looked_at.left_out(examples=EXTREMES))
    if catalogue is None or catalogue.rows == 0:
        return rows, None
    return rows, lake.scan(ITEMS, version=catalogue.version).select("item_id").collect()["item_id"]


def _document_failure(suite: Suite, rows: pl.DataFrame, known: pl.Series | None, heed: HeedHome) -> None:
    """Write the Data Docs here where a check failed critically: the asset `data_docs` does not run then."""
    from expectations.data_docs import write_data_docs

    if not rows.is_empty():
        write_data_docs(heed.settings.paths.docs_site, {suite: rows}, catalogue=known)


@dg.definitions
def checks() -> dg.Definitions:
    """One multi-asset check per suite."""
    return dg.Definitions(asset_checks=[build_suite_checks(suite) for suite in SUITES.values()])
