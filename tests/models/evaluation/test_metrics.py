"""Figures against lists worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feedback.errors import LearningError
from models.evaluation.metrics import Truth, average_precision, measure, ndcg, precision, recall


def truth(*users: set[int], n_items: int = 10, disliked: tuple[set[int], ...] = ()) -> Truth:
    rows = [sorted(items) for items in users]
    bad = disliked or tuple(set() for _ in users)
    flags = [item in hated for items, hated in zip(rows, bad, strict=True) for item in items]
    return Truth(
        indptr=np.cumsum([0, *(len(items) for items in rows)]),
        items=np.array([item for items in rows for item in items], dtype=np.int32),
        disliked=np.array(flags, dtype=np.bool_),
        n_items=n_items,
    )


def test_one_list_by_hand() -> None:
    hits = np.array([[True, False, True, False]])
    relevant = np.array([3])

    assert precision(hits)[0] == 0.5
    assert recall(hits, relevant)[0] == pytest.approx(2 / 3)
    assert average_precision(hits, relevant)[0] == pytest.approx((1 / 1 + 2 / 3) / 3)
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(hits, relevant)[0] == pytest.approx((1 + 1 / math.log2(4)) / best)


def test_two_users_are_averaged_and_a_third_without_test_items_does_not_count() -> None:
    lists = np.array([[0, 1], [5, 6], [7, 8]])

    found = measure(lists, truth({0, 1}, {6}, set()))

    assert found.users == 2
    assert found.precision == pytest.approx((1.0 + 0.5) / 2)
    assert found.recall == 1.0
    assert found.map == pytest.approx((1.0 + 0.5) / 2)
    assert found.ndcg == pytest.approx((1.0 + 1 / math.log2(3)) / 2)
    assert found.coverage == pytest.approx(4 / 10)


def test_disliked_is_the_share_of_slots_that_hold_a_disliked_item() -> None:
    lists = np.array([[0, 1, 2, 3], [0, 1, 2, 3]])

    found = measure(lists, truth({0, 1, 9}, {3}, disliked=({1, 9}, set())))

    assert found.disliked == pytest.approx(1 / 8)


def test_a_perfect_short_list_is_perfect_by_ndcg_but_not_by_precision() -> None:
    found = measure(np.array([[4, -1, -1, -1]]), truth({4}))

    assert (found.ndcg, found.recall, found.map) == (1.0, 1.0, 1.0)
    assert found.precision == 0.25


def test_an_empty_slot_never_hits_the_last_item_of_the_user_before() -> None:
    found = measure(np.array([[-1], [-1]]), truth({9}, {9}))

    assert found.precision == 0.0
    assert found.coverage == 0.0


def test_more_relevant_items_than_slots_still_allow_a_perfect_ndcg() -> None:
    assert measure(np.array([[0, 1]]), truth({0, 1, 2, 3})).ndcg == pytest.approx(1.0)


@pytest.mark.parametrize("lists", [np.empty((1, 0), dtype=np.int32), np.array([[1]])], ids=["k is 0", "nobody"])
def test_what_cannot_be_measured_is_refused_in_words(lists: np.ndarray) -> None:
    with pytest.raises(LearningError, match="at least one user and k >= 1"):
        measure(lists, truth({1} if lists.shape[1] == 0 else set()))


def test_figures_equal_a_plain_loop_on_random_lists() -> None:
    rng = np.random.default_rng(5)
    users = [set(rng.choice(30, size=rng.integers(1, 12), replace=False).tolist()) for _ in range(40)]
    hated = tuple({item for item in items if item % 3 == 0} for items in users)
    lists = np.array([rng.choice(30, size=7, replace=False) for _ in users])

    found = measure(lists, truth(*users, n_items=30, disliked=hated))

    gains = [sum(1 / math.log2(at + 2) for at, item in enumerate(row) if item in items)
             / sum(1 / math.log2(at + 2) for at in range(min(7, len(items))))
             for row, items in zip(lists.tolist(), users, strict=True)]  # fmt: skip
    assert found.ndcg == pytest.approx(np.mean(gains))
    bad = [item in items for row, items in zip(lists.tolist(), hated, strict=True) for item in row]
    assert found.disliked == pytest.approx(np.mean(bad))
