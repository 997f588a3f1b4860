from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from dagster_project.lib.handover import TableVersion
from dagster_project.lib.table_asset import Inputs, version_of
from dagster_project.lib.tables.registry import TABLE_ASSETS, by_table, step_titles
from expectations.suites.registry import SUITES
from feedback.errors import ContractViolation
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.tables.evaluations import EVALUATIONS
from lakehouse.tables.items import ITEMS

ITEMS_AT_3 = TableVersion("items", 3, 10, feedback_version=7, positions={0: 50, 1: 9})
INTERACTIONS_AT_5 = TableVersion("interactions", 5, 20, feedback_version=8, positions={0: 60})


def inputs(settings: Settings, versions: Mapping[str, TableVersion]) -> Inputs:
    return Inputs(settings, open_lake(settings), versions)


def test_a_table_reaches_as_far_into_the_log_as_the_source_that_reaches_least_far(settings: Settings) -> None:
    sources = {"items": ITEMS_AT_3, "interactions": INTERACTIONS_AT_5}

    built = version_of(EVALUATIONS, inputs(settings, sources), version=2, rows=4)

    assert built == TableVersion("evaluations", 2, 4, 7, {0: 50, 1: 0}, {"items": 3, "interactions": 5})


def test_a_table_without_sources_is_committed_by_its_builder(settings: Settings) -> None:
    with pytest.raises(ContractViolation, match="names no sources"):
        version_of(replace(ITEMS, built_from=()), inputs(settings, {}), version=1, rows=1)


def test_a_builder_reads_only_what_its_table_is_built_from(settings: Settings) -> None:
    with pytest.raises(ContractViolation, match=r"table items is no source: `built_from` names \['interactions'\]"):
        inputs(settings, {"interactions": INTERACTIONS_AT_5}).scan(ITEMS)


def test_every_checked_table_has_an_asset_and_every_step_a_title() -> None:
    assert set(SUITES) <= set(TABLE_ASSETS)
    assert step_titles(TABLE_ASSETS) == {
        "landed_feedback": "Land feedback",
        "feedback_suite": "Check feedback",
        "items": "Build the catalogue",
        "items_suite": "Check the catalogue",
        "interactions": "Build interactions",
        "interactions_suite": "Check interactions",
    }


def test_two_assets_of_one_table_are_refused() -> None:
    items = TABLE_ASSETS["items"]

    with pytest.raises(ContractViolation, match="two assets build the table 'items'"):
        by_table([*TABLE_ASSETS.values(), replace(items, title="again")], suites=[])


def test_a_source_that_no_asset_builds_is_refused() -> None:
    with pytest.raises(ContractViolation, match="asset items needs the table 'feedback', which no asset builds"):
        by_table([TABLE_ASSETS["items"]], suites=["items"])


def test_a_suite_of_a_table_that_no_asset_builds_is_refused() -> None:
    with pytest.raises(ContractViolation, match="suite evaluations needs the table 'evaluations'"):
        by_table(TABLE_ASSETS.values(), suites=["items", "evaluations"])
