"""The whole loop in this process: real Beam, Great Expectations, Spark and MLflow on a few hundred events."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import polars as pl
import pytest

from beam_jobs.landing import drain
from dagster_project.definitions import defs
from dagster_project.instance import open_instance
from dagster_project.lib.left_out import left_out_groups
from dagster_project.lib.summary import LoopSummary, StepEvent
from dagster_project.past_runs import learned
from dagster_project.run import HEADLESS_TAG, bury_dead_runs, load_job, run_config, run_loop
from feedback.settings.home import Settings, load_settings
from lakehouse.lake import open_lake
from lakehouse.tables.evaluations import EVALUATIONS
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.items import ITEMS as ITEMS_TABLE
from models.bundle.store import BundleStore
from models.recommenders.registry import compared_recommenders
from models.tracking.runs import CHAMPION, Tracking
from tests.dagster_project.generated import ITEMS, USERS, generated_events, send

pytestmark = [
    pytest.mark.beam,
    pytest.mark.filterwarnings("default", "ignore:The ``noload`` loader:DeprecationWarning"),  # MLflow's own
]

UNLISTED = {f"item-{item}" for item in (37, 38, 39)}
"""Rated, but not in the catalogue: 7 % of the interactions."""
FREE_INDEX = 1_000
"""A place inside a log record where no other event of these tests stands."""


class Looped(NamedTuple):
    settings: Settings
    summary: LoopSummary
    events: list[StepEvent]


def odd_events() -> Iterator[dict[str, Any]]:
    """What the gateway accepts and senders seldom send; the last one only while `max_future_seconds` is raised."""
    rating = {"kind": "rating", "user_id": "odd", "value": 4, "scale": [1, 5], "occurred_at": "2026-01-20T12:00:00Z"}
    yield {**rating, "item_id": "item-0", "v": 2}
    yield {**rating, "item_id": "item-1", "occurred_at": "0001-01-01T00:00:00Z"}
    yield {**rating, "item_id": "item-2", "occurred_at": "1969-12-31T23:00:00Z"}
    yield {"kind": "item", "item_id": "old", "title": "Old", "occurred_at": "1939-05-01T00:00:00Z", "id": "old"}
    ahead = datetime.now(UTC) + timedelta(minutes=40)
    yield {**rating, "item_id": "item-3", "occurred_at": ahead.isoformat()}


ODD = 5


def land_odd_rows(settings: Settings) -> None:
    """Odd events by the gateway, and rows that an older release or another writer put into the lake."""
    raised = load_settings(settings.home, max_future_seconds=3600.0)
    send(raised, odd_events())
    drain(raised)
    lake = open_lake(settings)
    rows = lake.scan(FEEDBACK).collect()
    rating, entry = rows.filter(pl.col("v") == 2), rows.filter(pl.col("kind") == "item")
    again = pl.col("landed_on") + timedelta(days=40)
    free = [pl.lit(FREE_INDEX + place, pl.Int32).alias("log_index") for place in range(3)]
    lake.append(FEEDBACK, rating.with_columns(free[0], landed_on=again))
    lake.append(FEEDBACK, rating.with_columns(free[1], id=pl.lit("around"), value=pl.lit(99.0)))
    lake.append(FEEDBACK, entry.with_columns(free[2], id=pl.lit("broken"), payload=pl.lit("{oops")))


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Looped:
    settings = load_settings(tmp_path_factory.mktemp("loop") / "home", spark_memory="1g")
    land_odd_rows(settings)
    listed = (e for e in generated_events() if not (e["kind"] == "item" and e["item_id"] in UNLISTED))
    send(settings, listed)
    events: list[StepEvent] = []
    return Looped(settings, run_loop(settings, on_event=events.append), events)


@pytest.mark.spark
@pytest.mark.xdist_group("loop")  # its run takes a minute, and happens once for a worker
class TestWholeLoop:
    """One run, looked at from all sides."""

    def test_it_succeeds_and_tells_every_step_from_beginning_to_end(self, looped: Looped) -> None:
        assert looped.summary.failures == []
        assert looped.summary.success
        assert {step.state for step in looped.summary.steps} == {"done"}
        ended = [event.step for event in looped.events if event.state == "done"]
        assert ended[0] == "landed_feedback"
        assert ended[-1] == "published_bundle"
        assert len(ended) == looped.events[0].steps
        assert ended.index("interactions_suite") < ended.index("evaluations") < ended.index("gate")
        assert any("judging signed_als" in str(event.detail) for event in looped.events)

    def test_everything_that_was_accepted_has_landed(self, looped: Looped) -> None:
        landing = looped.summary.landing

        assert landing is not None
        assert (landing.landed, landing.duplicates, landing.quarantined) == (USERS * 14 + ITEMS - 3, 0, 0)
        assert landing.rows == open_lake(looped.settings).row_count(FEEDBACK) == landing.landed + ODD + 3

    def test_rows_that_break_a_rule_and_items_outside_the_catalogue_are_warnings_that_stop_nothing(
        self, looped: Looped
    ) -> None:
        assert {(c.asset, c.name, c.severity) for c in looped.summary.failed_checks} == {
            ("landed_feedback", "at_least_value__scale_max", "warning"),
            ("landed_feedback", "unique__owner_id", "warning"),
            ("interactions", "share__in_catalogue", "warning"),
        }

    def test_what_is_left_out_is_counted_and_everything_else_is_learned_from(self, looped: Looped) -> None:
        lake = open_lake(looped.settings)
        odd = lake.scan(FEEDBACK).filter(pl.col("v") == 2).collect()["subject"][0]
        learned = lake.scan(INTERACTIONS).filter(pl.col("subject") == odd).collect()
        entry = lake.scan(ITEMS_TABLE).filter(pl.col("item_id") == "old").collect().row(0, named=True)

        assert looped.summary.left_out == {
            "feedback": {"at_least_value__scale_max": 1, "unique__owner_id": 1},
            "items": {"payload": 1},
        }
        assert learned["item_id", "events"].rows() == [(f"item-{n}", 1) for n in range(4)]
        assert learned["preference"].to_list() == [0.5] * 4
        assert (entry["title"], entry["updated_at"].year) == ("Old", 1939)

    def test_the_rows_that_are_left_out_are_shown_with_their_places(self, looped: Looped) -> None:
        groups = {(group.table, group.rule): group for group in left_out_groups(open_lake(looped.settings), examples=2)}

        assert {key: group.rows for key, group in groups.items()} == {
            ("feedback", "at_least_value__scale_max"): 1,
            ("feedback", "unique__owner_id"): 1,
            ("items", "payload"): 1,
        }
        shown = groups["feedback", "at_least_value__scale_max"].examples[0]
        assert str(shown.place).endswith(f"/{FREE_INDEX + 1}")
        assert (shown.values["id"], shown.values["value"]) == ("around", "99.0")

    def test_the_signed_recommender_beats_popularity_and_passes_the_gate(self, looped: Looped) -> None:
        figures = {(m.recommender, m.split): m for m in looped.summary.models}
        signed, popular = figures["signed_als", "stratified"], figures["popularity", "stratified"]

        assert signed.metrics["ndcg"] > popular.metrics["ndcg"]
        assert signed.chosen
        assert signed.mlflow_run_id
        assert looped.summary.gate is not None
        assert looped.summary.gate.approved, looped.summary.gate.reasons

    def test_the_bundle_serves_what_its_person_likes_and_names_where_it_comes_from(self, looped: Looped) -> None:
        bundle = BundleStore(looped.settings.paths.bundles).load()
        lake = open_lake(looped.settings)
        ratings = lake.scan(FEEDBACK).filter(pl.col("kind") == "rating").collect()
        even = ratings.filter(pl.col("id") == ratings.filter(pl.col("id").str.starts_with("0-"))["id"][0])["subject"][0]

        listed = bundle.recommend(bundle.history_of(even), 5)

        assert bundle.version == looped.summary.published_version
        assert listed.personal
        assert sum(int(item.removeprefix("item-")) % 2 == 0 for item in listed.items) >= 4
        assert bundle.manifest.delta_versions["interactions"] == lake.version(INTERACTIONS)
        assert bundle.manifest.positions == lake.positions("feedback", looped.settings.log.partitions)
        assert bundle.manifest.checks["interactions.share__in_catalogue"] is False
        assert len(bundle.manifest.checks) == len(looped.summary.checks)

    def test_the_figures_are_in_the_table_of_evaluations(self, looped: Looped) -> None:
        rows = open_lake(looped.settings).scan(EVALUATIONS).collect()

        assert set(rows["evaluation_id"]) == {looped.summary.run_id}
        assert set(rows["recommender"]) == {compared.name for compared in compared_recommenders()}

    def test_the_data_docs_are_written(self, looped: Looped) -> None:
        assert (looped.settings.paths.docs_site / "index.html").is_file()

    def test_the_run_stands_in_the_list_as_a_run_of_this_code_location(self, looped: Looped) -> None:
        with open_instance(looped.settings) as instance:
            run = instance.get_run_by_id(looped.summary.run_id)

            assert run is not None
            assert (run.job_name, run.status) == ("loop", dg.DagsterRunStatus.SUCCESS)
            assert run.remote_job_origin is not None
            assert run.remote_job_origin.location_name == "heed"
            assert instance.get_latest_materialization_event(dg.AssetKey("published_bundle")) is not None
            assert run.job_snapshot_id is not None
            assert instance.has_job_snapshot(run.job_snapshot_id)

    def test_what_was_judged_counts_as_learned_and_the_champion_is_what_serves(self, looped: Looped) -> None:
        with open_instance(looped.settings) as instance:
            known = learned(instance)
        champion = Tracking(looped.settings.mlflow, looped.settings.paths).holder(CHAMPION)

        assert known.run_id == looped.summary.run_id
        assert known.positions == open_lake(looped.settings).positions("feedback", looped.settings.log.partitions)
        assert champion is not None
        assert champion.version == BundleStore(looped.settings.paths.bundles).load().manifest.mlflow_model_version


def test_a_place_that_landed_twice_stops_learning_and_publishing(settings: Settings) -> None:
    send(settings, itertools.islice(generated_events(), 60))
    first = run_landing(settings)
    lake = open_lake(settings)
    row = lake.scan(FEEDBACK).filter(pl.col("kind") == "rating").head(1).collect()
    lake.append(FEEDBACK, row.with_columns(id=pl.lit("another event at the same place")))

    summary = run_loop(settings)

    assert first.success
    assert not summary.success
    states = {step.step: step.state for step in summary.steps}
    assert states["feedback_suite"] == "failed"
    assert {states[step] for step in ("interactions", "evaluations", "gate", "published_bundle")} == {"skipped"}
    place = ", ".join(f"{name}={row[name][0]}" for name in ("log_partition", "log_offset", "log_index"))
    assert summary.failures == [
        "Check feedback: landed_feedback, unique__log_partition_log_offset_log_index: "
        f"2 of 61 rows (3.28 %) are not as expected, such as {place}"
    ]
    assert BundleStore(settings.paths.bundles).current_version() is None
    assert list(settings.paths.docs_site.rglob("feedback*.html"))


def run_landing(settings: Settings) -> dg.ExecuteInProcessResult:
    """Only the first asset, as somebody might do from the web page."""
    with open_instance(settings) as instance:
        job = defs().resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance, run_config=run_config(settings), asset_selection=[dg.AssetKey("landed_feedback")]
        )


def test_with_too_little_feedback_to_judge_what_is_popular_is_published(settings: Settings) -> None:
    moment = "2026-01-01T00:00:00Z"
    few = (
        {"kind": "rating", "user_id": f"u{n}", "item_id": f"i{n}", "value": 4, "scale": [1, 5], "occurred_at": moment}
        for n in range(5)
    )
    send(settings, few)

    summary = run_loop(settings)

    assert summary.failures == []
    assert summary.gate is not None
    assert (summary.gate.approved, summary.gate.action) == (False, "fall_back")
    assert BundleStore(settings.paths.bundles).load().manifest.recommender == "decayed_popularity"
    assert summary.published_version == BundleStore(settings.paths.bundles).current_version()


def test_a_home_without_feedback_is_told_what_to_do(settings: Settings) -> None:
    summary = run_loop(settings)

    assert not summary.success
    assert summary.failures == [
        "Land feedback: nothing has landed yet; send events to the gateway, or use `heed ingest FILE`"
    ]
    assert [step.state for step in summary.steps].count("skipped") == len(summary.steps) - 1


def test_a_run_whose_process_died_is_marked_failed(settings: Settings) -> None:
    with open_instance(settings) as instance:
        run = instance.create_run_for_job(
            load_job(), tags={HEADLESS_TAG: "4711"}, status=dg.DagsterRunStatus.STARTED, run_config=run_config(settings)
        )

        buried = bury_dead_runs(instance)

        assert buried == [run.run_id]
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is dg.DagsterRunStatus.FAILURE


def test_settings_given_in_code_reach_the_steps(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, seed=7, lake_uri=str(tmp_path / "elsewhere"))

    config = run_config(settings)["resources"]["heed"]["config"]

    assert config["home"] == str(tmp_path)
    assert config["overrides"] == {"learning_seed": 7, "lake_uri": str(tmp_path / "elsewhere")}
