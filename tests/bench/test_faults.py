"""The kill bench, short; and broken on purpose, to show that it sees."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.killing.fleet import Breed
from bench.landing.faults import Outcome, figures, kill
from feedback.errors import ServiceError
from tests.bench.sabotage import fence_by_path, gives_up, positions_apart, rows_after_positions
from tests.support.kafka_server import Broker

pytestmark = pytest.mark.beam

KILLS = 20


def broken(outcome: Outcome) -> set[str]:
    return {f.figure.partition(": ")[2] for f in figures("", outcome, kills=1) if not f.holds}


@pytest.fixture
def seed(record_property: Callable[[str, object], None]) -> int:
    seed = random.randrange(1 << 30)
    record_property("seed", seed)
    return seed


def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    outcome = kill("sqlite", tmp_path, kills=KILLS, seed=seed)

    assert broken(outcome) == set(), outcome
    assert outcome.comparison.accepted == outcome.comparison.landed > 0
    assert outcome.comparison.poison > 0
    assert outcome.looks > 0


@pytest.mark.kafka
@pytest.mark.xdist_group("kafka")
def test_ten_kills_on_kafka_lose_nothing_and_double_nothing(tmp_path: Path, seed: int, kafka_broker: Broker) -> None:
    outcome = kill("kafka", tmp_path, kills=10, seed=seed)

    assert broken(outcome) == set(), outcome
    assert outcome.comparison.accepted == outcome.comparison.landed > 0


@pytest.mark.parametrize(
    ("breed", "seen"),
    [
        (Breed(positions_apart, ("kill after data file",)), {"doubled"}),
        (Breed(rows_after_positions, ("kill after data file",)), {"lost"}),
        (Breed(fence_by_path, ("stop after data file",)), {"doubled"}),
    ],
    ids=["rows first, positions apart", "positions first, rows apart", "fence read by path"],
)
def test_landing_that_is_broken_on_purpose_is_seen(tmp_path: Path, seed: int, breed: Breed, seen: set[str]) -> None:
    """Whether a kill meets rows that would land is chance; of three runs one does."""
    tries = (kill("sqlite", tmp_path / str(n), kills=8, seed=seed + n, breed=breed) for n in range(3))
    outcome = next(filter(lambda each: seen <= broken(each), tries), None)

    assert outcome is not None
    assert "what a reader should not have seen" in broken(outcome)


def test_workers_that_give_up_are_seen(tmp_path: Path, seed: int) -> None:
    with pytest.raises(ServiceError, match="ended by themselves"):
        kill("sqlite", tmp_path, kills=1, seed=seed, breed=Breed(gives_up, ()))
