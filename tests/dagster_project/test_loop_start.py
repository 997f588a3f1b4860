"""The sensor and the schedule on a real home, without running the loop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from beam_jobs.landing import drain
from dagster_project.definitions import defs
from dagster_project.defs.resources import HeedHome
from dagster_project.instance import open_instance
from dagster_project.lib.starting import Start, Wait, positions_text
from dagster_project.lock import holding
from dagster_project.loop_due import decide
from dagster_project.run import load_job
from feedback.settings.home import Settings
from tests.dagster_project.generated import generated_events, send

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def test_without_a_home_it_waits_and_names_the_folder(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as nowhere:
        decision = decide(settings, nowhere, threshold=1, now=NOW)

    assert isinstance(decision, Wait)
    assert f"no home at {settings.home} yet" in decision.reason


def test_accepted_events_count_before_they_have_landed(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))

    assert isinstance(decide(settings, instance, threshold=100, now=NOW), Start)
    assert isinstance(decide(settings, instance, threshold=101, now=NOW), Wait)


@pytest.mark.beam
def test_landed_events_count_until_they_were_learned_from(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))
    positions = drain(settings).positions

    before = decide(settings, instance, threshold=100, now=NOW)
    learned = dg.AssetMaterialization("interactions", metadata={"positions": positions_text(positions)})
    instance.report_runless_asset_event(learned)
    after = decide(settings, instance, threshold=1, now=NOW)

    assert isinstance(before, Start)
    assert after == Wait("0 new events since the last learning; the loop starts at 1")


def run_a_loop(instance: dg.DagsterInstance, positions: dict[int, int], *, succeeds: bool, marks: bool = True) -> str:
    """A real run of a small job of the loop's name; returns its id."""
    known = {"positions": positions_text(positions)}

    @dg.asset
    def interactions() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata=known)

    @dg.asset(deps=[interactions])
    def published_bundle() -> dg.MaterializeResult[None]:
        if not succeeds:
            raise dg.Failure("the artifact store does not answer")
        return dg.MaterializeResult(metadata=known if marks else {})

    job = dg.define_asset_job("loop", executor_def=dg.in_process_executor)
    small = dg.Definitions(assets=[interactions, published_bundle], jobs=[job]).resolve_job_def("loop")
    return small.execute_in_process(instance=instance, raise_on_error=False).run_id


def test_a_failed_run_has_learned_nothing_and_is_tried_again_later(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    send(settings, itertools.islice(generated_events(), 100))
    failed = run_a_loop(instance, drain(settings).positions, succeeds=False)
    now = datetime.now(UTC)

    at_once = decide(settings, instance, threshold=1000, now=now)
    later = decide(settings, instance, threshold=1000, now=now + timedelta(hours=1))
    at_night = decide(settings, instance, threshold=1, now=now, paced=False)

    assert isinstance(at_once, Wait)
    assert "100 new events" in at_once.reason
    assert isinstance(later, Start)
    assert failed in later.run_key
    assert isinstance(at_night, Start)


@pytest.mark.parametrize("marks", [True, False], ids=["of this release", "of an earlier release"])
def test_what_a_successful_run_judged_counts_as_learned_even_where_a_later_one_failed(
    settings: Settings, instance: dg.DagsterInstance, marks: bool
) -> None:
    send(settings, itertools.islice(generated_events(), 100))
    run_a_loop(instance, drain(settings).positions, succeeds=True, marks=marks)
    send(settings, itertools.islice(generated_events(), 100, 103))
    run_a_loop(instance, drain(settings).positions, succeeds=False)

    decision = decide(settings, instance, threshold=1000, now=datetime.now(UTC) + timedelta(hours=1))

    assert isinstance(decision, Start)
    assert decision.reason.startswith("3 new events")


def test_a_run_whose_process_is_gone_is_marked_failed_and_does_not_hold_the_loop_back(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    send(settings, itertools.islice(generated_events(), 100))
    gone = instance.create_run_for_job(load_job(), status=dg.DagsterRunStatus.STARTED)
    now = datetime.now(UTC)

    young = decide(settings, instance, threshold=1, now=now)
    with holding(settings.paths.run_folder, owner=gone.run_id):
        alive = decide(settings, instance, threshold=1, now=now + timedelta(hours=1))
    after = decide(settings, instance, threshold=1, now=now + timedelta(hours=1))

    assert young == alive == Wait(f"the loop is running already (run {gone.run_id[:8]})")
    assert isinstance(after, Start)
    found = instance.get_run_by_id(gone.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE


def test_while_another_loop_works_on_the_home_it_waits(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))

    with holding(settings.paths.run_folder, owner="elsewhere"):
        decision = decide(settings, instance, threshold=1, now=NOW)

    assert isinstance(decision, Wait)
    assert "run elsewhere" in decision.reason


def test_the_sensor_asks_for_one_run_for_one_state_of_the_log_and_rests_after_it(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEED_HOME", settings.home)
    monkeypatch.setenv("HEED_LEARN_AFTER_EVENTS", "100")
    send(settings, itertools.islice(generated_events(), 100))
    sensor = defs().resolve_sensor_def("enough_new_feedback")

    def tick(cursor: str | None) -> dg.SensorExecutionData:
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"heed": HeedHome()}) as context:
            return sensor.evaluate_tick(context)

    first = tick(None)
    again = tick(first.cursor)  # Dagster starts one run for a key, however often it is asked for
    run_a_loop(instance, drain(settings).positions, succeeds=True)
    learned = tick(first.cursor)
    send(settings, itertools.islice(generated_events(), 100, 300))
    resting = tick(first.cursor)

    keys = [[request.run_key for request in one.run_requests or []] for one in (first, again)]
    assert keys == [[f"feedback up to {first.cursor}"]] * 2
    assert "0 new events" in str(learned.skip_message)
    assert "learn_pause_minutes" in str(resting.skip_message)


def test_the_nightly_schedule_skips_a_night_without_news(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEED_HOME", settings.home)
    schedule = defs().resolve_schedule_def("nightly_loop")

    def night() -> dg.ScheduleExecutionData:
        moment = datetime(2026, 3, 1, 3, tzinfo=UTC)
        with dg.build_schedule_context(
            instance=instance, scheduled_execution_time=moment, resources={"heed": HeedHome()}
        ) as context:
            return schedule.evaluate_tick(context)

    quiet = night()
    send(settings, itertools.islice(generated_events(), 5))
    busy = night()

    assert quiet.skip_message == "no feedback has been accepted yet"
    assert [request.run_key for request in busy.run_requests or []] == ["nightly 2026-03-01"]
