from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.errors import LogError
from feedback.log.leases import Group, assignment_of, living
from feedback.log.port import PartitionAssignment
from feedback.log.sqlite import SqliteLog

LEASE_SECONDS = 6.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Workers:
    """Workers of one log under a clock that only a test moves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.db"
        self.clock = Clock()
        self.log = SqliteLog(self.path, partitions=4, lease_seconds=LEASE_SECONDS, clock=self.clock)

    def look(self, *assignments: PartitionAssignment, after: float = 0.2) -> list[set[int]]:
        self.clock.now += after
        return [set(assignment.partitions()) for assignment in assignments]


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


def test_a_sole_worker_has_all_partitions_without_waiting(workers: Workers) -> None:
    assert workers.log.join("a").partitions() == {0, 1, 2, 3}


def test_a_newcomer_takes_nothing_from_the_living_but_what_they_give_up(workers: Workers) -> None:
    first = workers.log.join("a")
    second = workers.log.join("b")

    assert workers.look(second, first, second) == [set(), {0, 1}, set()]
    assert workers.look(second, first) == [{2, 3}, {0, 1}]


def test_a_silent_worker_is_out_after_its_lease_and_not_before(workers: Workers) -> None:
    first = workers.log.join("a")
    second = workers.log.join("b")
    workers.look(first)
    workers.look(second)

    assert workers.look(second, after=LEASE_SECONDS - 0.5) == [{2, 3}]
    assert workers.look(second, after=0.5) == [{0, 1, 2, 3}]
    assert workers.look(first, after=0) == [set()]


def test_beats_of_a_machine_that_has_started_anew_are_no_lease(workers: Workers) -> None:
    workers.log.join("a")
    workers.clock.now = 5.0

    assert workers.log.join("b").partitions() == {0, 1, 2, 3}


def test_a_worker_that_starts_again_under_its_name_waits_for_the_old_lease(workers: Workers) -> None:
    workers.log.join("a")
    again = workers.log.join("a")

    assert workers.look(again) == [set()]
    assert workers.look(again, after=LEASE_SECONDS) == [{0, 1, 2, 3}]


def test_asking_often_writes_once_a_second(workers: Workers) -> None:
    assignment = workers.log.join("a")
    watcher = sqlite3.connect(workers.path)
    changes = set()

    for _ in range(300):
        workers.look(assignment, after=0.01)
        changes.add(watcher.execute("PRAGMA data_version").fetchone()[0])

    assert 2 <= len(changes) <= 4
    watcher.close()


def test_while_another_holds_the_file_a_share_lasts_as_long_as_its_lease(workers: Workers) -> None:
    assignment = workers.log.join("a")
    other = sqlite3.connect(workers.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert workers.look(assignment, after=2) == [{0, 1, 2, 3}]
    assert workers.look(assignment, after=LEASE_SECONDS) == [set()]
    other.execute("ROLLBACK")
    assert workers.look(assignment) == [{0, 1, 2, 3}]
    other.close()


def test_a_lease_that_cannot_be_kept_is_told_in_words(workers: Workers) -> None:
    assignment = workers.log.join("a")
    with sqlite3.connect(workers.path) as connection:
        connection.execute("DROP TABLE workers")
    connection.close()

    with pytest.raises(LogError, match=r"lease of worker a#.* cannot be kept: no such table: workers"):
        workers.look(assignment, after=LEASE_SECONDS)


@given(
    partitions=st.integers(1, 12),
    steps=st.lists(st.tuples(st.sampled_from(["come", "go", "look"]), st.integers(0, 6)), max_size=60),
)
def test_whatever_the_order_of_comings_and_goings_all_is_shared_evenly_in_the_end(
    partitions: int, steps: list[tuple[str, int]]
) -> None:
    alive = {"w0"}
    holders: dict[int, str | None] = dict.fromkeys(range(partitions))

    def look(worker: str) -> bool:
        mine = assignment_of(worker, Group({}, holders), alive=alive)
        assert all(holders[p] in (None, worker) or holders[p] not in alive for p in mine)
        before = dict(holders)
        for partition, holder in before.items():
            if holder == worker or partition in mine:
                holders[partition] = worker if partition in mine else None
        return holders != before

    for step, number in steps:
        worker = f"w{number}"
        if step == "come":
            alive.add(worker)
        elif step == "go" and len(alive) > 1:
            alive.discard(worker)
        elif worker in alive:
            look(worker)
    for _ in range(len(alive) + 2):  # who ranks behind may have to wait until those before have looked once more
        for worker in sorted(alive):
            look(worker)

    sizes = [sum(holder == worker for holder in holders.values()) for worker in alive]
    assert sum(sizes) == partitions
    assert max(sizes) - min(sizes) <= 1
    assert not any(look(worker) for worker in alive)


def test_a_beat_lives_from_its_moment_until_the_lease_ends() -> None:
    beats = {"now": 10.0, "old": 4.1, "gone": 4.0, "future": 10.1}

    assert living(beats, now=10.0, lease_seconds=6.0) == {"now", "old"}
