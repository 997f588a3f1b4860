from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.recommenders.hybrid.choosing import choose, slots_for
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.slots import PER
from models.recommenders.kernels.matrix import PreferenceMatrix
from models.recommenders.kernels.trending import DAY_SECONDS
from tests.models.recommenders.kernels.boards import matrix_of, random_matrix


def two_tastes(seed: int, *, people: int = 160, items: int = 60) -> PreferenceMatrix:
    """Half of the people choose among the first items, half among the last; dislikes hit every fifth item."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item), -1.0 if item % 5 == 0 else 1.0, float(rng.uniform(0, 90 * DAY_SECONDS)))
        for user in range(people)
        for item in rng.choice(items // 2, 12, replace=False) + (user % 2) * (items // 2)
    ]
    return matrix_of(rows, n_users=people, n_items=items)


@pytest.fixture(scope="module")
def board() -> PreferenceMatrix:
    return two_tastes(1)


def test_taste_earns_its_place_where_people_differ_and_dislikes_are_learnt(board: PreferenceMatrix) -> None:
    steps: list[str] = []

    found = choose(board, HybridParameters(ranks="8"), seed=1, progress=steps.append)

    assert found.taste.ndcg > 1.3 * found.taste.popular_ndcg
    assert found.parameters.known_slots == 1
    assert found.parameters.dislike > 0
    assert found.parameters.dislike_item_rate > 0
    assert found.newcomers.ndcg > 1.3 * found.newcomers.popular_ndcg
    assert (found.people, found.interactions, len(steps)) == (160, board.nnz, 3)


def test_the_same_seed_chooses_the_same(board: PreferenceMatrix) -> None:
    start, some = HybridParameters(ranks="8"), board.take(np.arange(40))

    assert choose(some, start, seed=2).parameters == choose(some, start, seed=2).parameters


def test_a_log_without_times_keeps_the_start_for_what_is_wanted_lately(board: PreferenceMatrix) -> None:
    timeless = replace(board, at=np.full(board.nnz, np.nan))

    found = choose(timeless, HybridParameters(ranks="8", half_life_days=21.0), seed=1)

    assert found.parameters.half_life_days == 21.0
    assert found.lately.known is None
    assert found.parameters.known_slots == 1


@pytest.mark.parametrize(
    "tiny",
    [
        matrix_of([(0, 0, 1.0, 0.0)], n_users=1, n_items=1),
        matrix_of([(0, item, 1.0, float(item)) for item in range(9)], n_users=1, n_items=9),
        matrix_of([(user, 0, 1.0, float(user)) for user in range(30)], n_users=30, n_items=1),
        matrix_of([(user, user % 5, 1.0, float(user)) for user in range(40)], n_users=40, n_items=5),
        random_matrix(1, n_users=5, n_items=4, share=0.7),
    ],
    ids=["one event", "one person", "one item", "one event each", "five people"],
)
def test_too_little_data_is_no_error(tiny: PreferenceMatrix) -> None:
    found = choose(tiny, HybridParameters(ranks="2"), seed=1)

    assert isinstance(found.parameters, HybridParameters)


def test_slots_follow_the_geometric_mean_of_both_ratios() -> None:
    assert slots_for(0.4, 0.2, {1: 0.6}, 1) == 1
    assert slots_for(0.4, 0.2, {1: 0.4}, 1) == PER
    assert slots_for(0.3, 0.2, {}, 1) == 1
    assert slots_for(0.1, 0.2, {}, 1) == PER
    assert slots_for(0.0, 0.0, {}, 1) == 1
