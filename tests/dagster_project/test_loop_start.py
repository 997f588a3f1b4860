"""The sensor and the schedule on a real home, without running the loop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from beam_jobs.landing import drain
from dagster_project.definitions import defs
from dagster_project.defs.loop import decide
from dagster_project.defs.resources import HeedHome
from dagster_project.instance import open_instance
from dagster_project.lock import holding
from dagster_project.starting import Start, Wait, positions_text
from feedback.settings import Settings
from tests.dagster_project.generated import generated_events, send


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def test_without_a_home_it_waits_and_names_the_folder(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as nowhere:
        decision = decide(settings, nowhere, threshold=1)

    assert isinstance(decision, Wait)
    assert f"no home at {settings.home} yet" in decision.reason


def test_accepted_events_count_before_they_have_landed(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))

    assert isinstance(decide(settings, instance, threshold=100), Start)
    assert isinstance(decide(settings, instance, threshold=101), Wait)


@pytest.mark.beam
def test_landed_events_count_until_they_were_learned_from(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))
    positions = drain(settings).positions

    before = decide(settings, instance, threshold=100)
    learned = dg.AssetMaterialization("interactions", metadata={"positions": positions_text(positions)})
    instance.report_runless_asset_event(learned)
    after = decide(settings, instance, threshold=1)

    assert isinstance(before, Start)
    assert after == Wait("0 new events since the last learning; the loop starts at 1")


def test_a_started_state_does_not_start_the_loop_again(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))

    first = decide(settings, instance, threshold=50)
    assert isinstance(first, Start)
    again = decide(settings, instance, threshold=50, cursor=first.cursor)

    assert again == Wait("0 new events since the last learning; the loop starts at 50")


def test_while_another_loop_works_on_the_home_it_waits(settings: Settings, instance: dg.DagsterInstance) -> None:
    send(settings, itertools.islice(generated_events(), 100))

    with holding(settings.run_folder, owner="elsewhere"):
        decision = decide(settings, instance, threshold=1)

    assert isinstance(decision, Wait)
    assert "run elsewhere" in decision.reason


def test_the_sensor_moves_its_cursor_and_asks_for_one_run(
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
    second = tick(first.cursor)

    assert [request.run_key for request in first.run_requests or []] == [f"feedback up to {first.cursor}"]
    assert second.run_requests == []
    assert "0 new events" in str(second.skip_message)


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
