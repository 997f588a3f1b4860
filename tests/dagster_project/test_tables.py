"""Tables as assets: built from pinned versions, and their lineage in Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
import pytest

from dagster_project.defs.resources import HeedHome, LakeResource
from dagster_project.defs.tables import build_table_asset
from dagster_project.lib.handover import TableVersion
from dagster_project.lib.table_asset import Inputs, NewRows, Report, TableAsset
from dagster_project.lib.tables.registry import TABLE_ASSETS
from feedback.errors import NotEnoughFeedback
from feedback.settings.home import Settings, ensure_home
from lakehouse.lake import Lake, open_lake
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.items import ITEMS
from lakehouse.tables.spec import TableSpec, required

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run")  # Dagster calls it itself

LIKES = TableSpec(
    name="likes",
    grain="one row per item of the catalogue that somebody likes",
    key=("item_id",),
    columns=(required("item_id", ITEMS.schema.field("item_id").type, "the item", personal=False),),
    built_from=("items", "interactions"),
)


def build_likes(inputs: Inputs) -> NewRows:
    liked = inputs.scan(INTERACTIONS).filter(pl.col("preference") > 0)
    rows = inputs.scan(ITEMS).join(liked, on="item_id", how="semi").select("item_id").collect()
    return NewRows(rows, Report(figures={"left_out": {}}, pages={"liked": f"**{rows.height}** liked"}, note="counted"))


LIKES_ASSET = TableAsset(spec=LIKES, title="likes", description="What is liked.", build=build_likes)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def items(*names: str) -> pl.DataFrame:
    columns: Mapping[str, Any] = {
        "item_id": list(names), "title": list(names), "categories": [[]] * len(names), "tags": [[]] * len(names),
        "available": True, "updated_at": NOW,
    }  # fmt: skip
    return pl.DataFrame({name: columns.get(name) for name in ITEMS.names})


def interactions(**preferences: float) -> pl.DataFrame:
    columns: Mapping[str, Any] = {
        "subject": "s" * 32, "item_id": list(preferences), "implicit": 0.0, "preference": list(preferences.values()),
        "weight": 1.0, "events": 1, "first_at": NOW, "last_at": NOW,
    }  # fmt: skip
    return pl.DataFrame({name: columns.get(name) for name in INTERACTIONS.names})


@pytest.fixture
def lake(settings: Settings) -> Lake:
    ensure_home(settings)
    return open_lake(settings)


def given(name: str, version: TableVersion) -> dg.AssetsDefinition:
    """An asset that hands on a version that was built before."""

    @dg.asset(name=name)
    def source() -> dg.MaterializeResult[TableVersion]:
        return dg.MaterializeResult(value=version, data_version=dg.DataVersion(str(version.version)))

    return source


def materialize(settings: Settings, *assets: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    heed = HeedHome(home=settings.home)
    return dg.materialize(assets, resources={"heed": heed, "lake": LakeResource(heed=heed)}, raise_on_error=False)


def test_a_table_is_built_from_the_pinned_versions_of_its_sources_and_says_so(settings: Settings, lake: Lake) -> None:
    catalogue = TableVersion("items", lake.overwrite(ITEMS, items("a", "b")), 2, 4, {0: 9})
    preferred = TableVersion("interactions", lake.overwrite(INTERACTIONS, interactions(a=1.0, b=-1.0)), 2, 4, {0: 9})
    lake.overwrite(INTERACTIONS, interactions(a=1.0, b=1.0))  # another run's, while this one is under way

    run = materialize(
        settings, given("items", catalogue), given("interactions", preferred), build_table_asset(LIKES_ASSET)
    )

    assert run.success
    assert lake.scan(LIKES).collect()["item_id"].to_list() == ["a"]
    built = run.output_for_node("likes")
    assert (built.rows, built.sources) == (1, {"items": catalogue.version, "interactions": preferred.version})
    (event,) = run.asset_materializations_for_node("likes")
    metadata = {name: value.value for name, value in event.metadata.items()}
    assert metadata["built_from"] == {"items": catalogue.version, "interactions": preferred.version}
    assert (metadata["liked"], metadata["dagster/row_count"], metadata["table_version"]) == ("**1** liked", 1, 1)
    assert event.tags is not None
    assert event.tags["dagster/data_version"] == str(built.version)
    assert event.tags["dagster/input_data_version/interactions"] == str(preferred.version)


def test_an_empty_log_is_a_failure_that_is_not_retried(settings: Settings, lake: Lake) -> None:
    run = materialize(settings, build_table_asset(TABLE_ASSETS["feedback"]))

    failure = run.failure_data_for_node("landed_feedback")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "nothing has landed yet" in str(failure.user_failure_data.description)
    assert failure.user_failure_data.metadata["error"].value == NotEnoughFeedback.__name__
    assert not lake.row_count(TABLE_ASSETS["feedback"].spec)
