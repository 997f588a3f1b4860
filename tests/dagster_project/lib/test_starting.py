from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dagster_project.lib.starting import (
    Feedback,
    Pace,
    PastRun,
    Start,
    Wait,
    decide_start,
    failures_since,
    positions_from,
    positions_text,
    rest,
)

SOME = Feedback(log_ends={0: 7, 1: 4}, landed=900, waiting=100)


def test_enough_new_feedback_starts_the_loop() -> None:
    decision = decide_start(SOME, threshold=1000)

    assert decision == Start(
        run_key='feedback up to {"0": 7, "1": 4}',
        cursor='{"0": 7, "1": 4}',
        reason="1,000 new events since the last learning",
    )


def test_the_same_state_of_the_log_has_the_same_run_key_and_another_state_another() -> None:
    again = decide_start(Feedback(log_ends={1: 4, 0: 7}, landed=1000, waiting=0), threshold=1000)
    later = decide_start(Feedback(log_ends={0: 8, 1: 4}, landed=1000, waiting=1), threshold=1000)
    first = decide_start(SOME, threshold=1000)

    assert isinstance(first, Start)
    assert isinstance(again, Start)
    assert isinstance(later, Start)
    assert first.run_key == again.run_key != later.run_key


@pytest.mark.parametrize(
    ("feedback", "busy", "reason"),
    [
        (
            Feedback(log_ends={0: 7}, landed=900, waiting=99),
            None,
            "999 new events since the last learning; the loop starts at 1,000",
        ),
        (Feedback(log_ends={0: 0, 1: 0}, landed=0, waiting=0), None, "no feedback has been accepted yet"),
        (SOME, "the loop is running already (run 1234)", "the loop is running already (run 1234)"),
    ],
    ids=["too little", "nothing at all", "busy"],
)
def test_otherwise_it_waits_and_says_why(feedback: Feedback, busy: str | None, reason: str) -> None:
    assert decide_start(feedback, threshold=1000, busy=busy) == Wait(reason)


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def past(run_id: str, *, ended: datetime = NOON, minutes: float = 2, succeeded: bool = False) -> PastRun:
    return PastRun(run_id, ended - timedelta(minutes=minutes), ended, succeeded)


def test_after_a_failed_run_one_event_is_enough_and_the_key_names_the_failed_run() -> None:
    one = Feedback(log_ends={0: 7}, landed=1, waiting=0)
    failed = [past("second"), past("first")]

    once = decide_start(one, threshold=1000, failures=failed[1:], last=failed[1])
    twice = decide_start(one, threshold=1000, failures=failed, last=failed[0])

    assert isinstance(once, Start)
    assert isinstance(twice, Start)
    assert once.run_key == 'feedback up to {"0": 7}, after the failed run first'
    assert twice.run_key == 'feedback up to {"0": 7}, after the failed run second'
    assert "tried again after the last 2 runs failed" in twice.reason


def test_a_failed_run_without_new_events_is_not_tried_again() -> None:
    none = Feedback(log_ends={0: 7}, landed=0, waiting=0)

    assert isinstance(decide_start(none, threshold=1000, failures=[past("a")], last=past("a")), Wait)


def test_two_runs_are_a_pause_apart_however_many_events_come() -> None:
    last = past("a", succeeded=True)  # started two minutes before noon

    early = decide_start(SOME, threshold=1, last=last, pace=Pace(NOON + timedelta(minutes=12), QUARTER))
    due = decide_start(SOME, threshold=1, last=last, pace=Pace(NOON + timedelta(minutes=13), QUARTER))
    unpaced = decide_start(SOME, threshold=1, last=last)

    assert early == Wait(
        "1,000 new events since the last learning; the last run started at 2026-03-01 11:58 UTC "
        "(learn_pause_minutes): the next run starts at 2026-03-01 12:13 UTC or later"
    )
    assert isinstance(due, Start)
    assert isinstance(unpaced, Start)


def test_a_long_run_is_followed_by_a_rest_as_long_as_itself() -> None:
    until, _ = rest(past("a", minutes=60, succeeded=True), [], pause=QUARTER)

    assert until == NOON + timedelta(minutes=60)


@pytest.mark.parametrize(
    ("failed", "minutes"), [(1, 13), (2, 13), (3, 20), (4, 40), (8, 360), (30, 360)], ids=lambda value: str(value)
)
def test_failures_in_a_row_are_tried_again_later_each_time(failed: int, minutes: int) -> None:
    failures = [past(str(number)) for number in range(failed)]

    until, why = rest(failures[0], failures, pause=QUARTER)

    assert until == NOON + timedelta(minutes=minutes)
    assert ("failed" in why) == (failed > 2)


def test_failures_count_since_the_last_success_or_the_last_learning() -> None:
    runs = [past("d"), past("c"), past("b", succeeded=True), past("a")]

    assert [run.run_id for run in failures_since(runs, learned_by=None)] == ["d", "c"]
    assert [run.run_id for run in failures_since(runs, learned_by="c")] == ["d"]
    assert failures_since(runs, learned_by="d") == []


def test_positions_survive_being_written_as_text() -> None:
    assert positions_from(positions_text({10: 3, 2: 7})) == {2: 7, 10: 3}
    assert positions_from(None) == {}
