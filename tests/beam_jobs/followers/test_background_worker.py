from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from beam_jobs.followers.background_worker import PAUSE_SECONDS, BackgroundWorker, Pause


@pytest.fixture
def worker() -> Iterator[BackgroundWorker]:
    made = BackgroundWorker("test", at_most=2)
    yield made
    made.close()


def test_actions_are_done_one_after_the_other_in_order(worker: BackgroundWorker) -> None:
    done: list[int] = []
    for number in range(20):
        worker.start(lambda number=number: done.append(number))  # type: ignore[misc]
    worker.finish()
    assert done == list(range(20))
    assert worker.is_idle


def test_who_starts_one_too_many_waits_for_the_first(worker: BackgroundWorker) -> None:
    first, second, third = (threading.Event() for _ in range(3))
    worker.start(lambda: wait_for(first))
    worker.start(lambda: wait_for(second))
    starting = threading.Thread(target=lambda: worker.start(third.set))
    starting.start()
    starting.join(timeout=0.1)
    assert starting.is_alive()
    assert not worker.is_idle
    first.set()
    starting.join(timeout=10)
    assert not starting.is_alive()  # it waited for the first, not for the second, which still runs
    second.set()
    worker.finish()
    assert third.is_set()


def test_an_error_is_raised_where_the_action_is_waited_for(worker: BackgroundWorker) -> None:
    worker.start(lambda: [][0])
    with pytest.raises(IndexError):
        worker.finish()
    worker.finish()


def test_in_a_pause_nothing_is_tried_and_after_it_something_is_owed() -> None:
    clock = [100.0]
    pause = Pause(lambda: clock[0])
    assert pause.is_over
    assert not pause.is_owed
    pause.begin()
    clock[0] += PAUSE_SECONDS - 0.1
    assert (pause.is_over, pause.is_owed) == (False, True)
    clock[0] += 0.2
    assert (pause.is_over, pause.is_owed) == (True, True)
    pause.end()
    assert (pause.is_over, pause.is_owed) == (True, False)


def test_pauses_after_mistakes_of_our_own_become_longer_up_to_a_limit() -> None:
    clock = [0.0]
    pause = Pause(lambda: clock[0])
    for seconds in (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0):
        pause.begin(mistake=True)
        clock[0] += seconds - 0.1
        assert not pause.is_over
        clock[0] += 0.2
        assert pause.is_over


def wait_for(event: threading.Event) -> None:
    assert event.wait(10)
