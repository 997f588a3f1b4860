from __future__ import annotations

import pytest

from dagster_project.starting import (
    Feedback,
    Start,
    Wait,
    decide_start,
    learned_positions,
    positions_from,
    positions_text,
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


def test_the_furthest_of_several_positions_counts() -> None:
    assert learned_positions({0: 5, 1: 2}, {1: 9}, {}) == {0: 5, 1: 9}


def test_positions_survive_being_written_as_text() -> None:
    assert positions_from(positions_text({10: 3, 2: 7})) == {2: 7, 10: 3}
    assert positions_from(None) == {}
