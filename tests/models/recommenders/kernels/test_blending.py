from __future__ import annotations

import numpy as np
import pytest

from models.recommenders.kernels.blending import (
    BlendRows,
    best_of_blend,
    climb,
    ndcg_of_blend,
    shortlisted,
    standardised,
)


def rows_of(seed: int, *, people: int = 80, items: int = 30, told: float = 3.0) -> BlendRows:
    """The second part knows what people choose, the first does not; `told` is how well."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((people, items)) < 0.1
    features = rng.standard_normal((people, items, 2)).astype(np.float32)
    features[..., 1] += told * chosen
    return BlendRows(features, np.ones_like(chosen), chosen)


def test_a_part_that_knows_what_people_choose_gets_weight_and_its_gain_is_seen_on_others() -> None:
    found = climb([rows_of(1)], (1.0, 0.0), seed=1)

    assert found.weights[0] == 1.0
    assert found.weights[1] > 0.5
    assert found.gain > 2 * found.error > 0


def test_a_part_that_knows_nothing_gains_nothing_for_people_outside_the_draw() -> None:
    rng = np.random.default_rng(1)
    chosen = rng.random((60, 30)) < 0.1
    noise = rng.standard_normal((60, 30, 5)).astype(np.float32)

    found = climb([BlendRows(noise, np.ones_like(chosen), chosen)], (1.0, 0.0, 0.0, 0.0, 0.0), seed=1)

    assert found.gain < found.error


def test_without_people_the_start_stays() -> None:
    empty = BlendRows(np.zeros((0, 4, 2), np.float32), np.ones((0, 4), bool), np.zeros((0, 4), bool))

    for rows in ([], [empty]):
        found = climb(rows, (1.0, 0.5), seed=1)
        assert (found.weights.tolist(), found.people) == ([1.0, 0.5], 0)


def test_ndcg_is_one_where_all_choices_come_first_and_closed_items_are_not_listed() -> None:
    scores = np.array([[[5.0], [4.0], [3.0]], [[5.0], [4.0], [3.0]]], dtype=np.float32)
    chosen = np.array([[True, True, False], [False, False, True]])
    opened = np.array([[True, True, True], [False, True, False]])
    rows = BlendRows(scores, opened, chosen)

    assert ndcg_of_blend(rows, np.ones(1), k=2).tolist() == pytest.approx([1.0, 0.0])
    assert best_of_blend(rows, np.ones(1), k=2).tolist() == [[0, 1], [1, -1]]


def test_standardised_scores_of_equal_items_are_zero() -> None:
    scores = standardised(np.array([[1.0, 1.0], [0.0, 2.0]], dtype=np.float32))

    np.testing.assert_allclose(scores, [[0.0, 0.0], [-1.0, 1.0]])


def test_a_shortlist_gives_the_figures_of_the_whole_catalogue() -> None:
    whole = rows_of(3, items=200)

    short = shortlisted(whole, per_part=40)

    assert short.features.shape == (80, 80, 2)
    for weights in ([1.0, 0.0], [1.0, 0.5], [1.0, 3.0]):
        np.testing.assert_allclose(
            ndcg_of_blend(short, np.array(weights)), ndcg_of_blend(whole, np.array(weights)), atol=0.12
        )
        assert ndcg_of_blend(short, np.array(weights)).mean() == pytest.approx(
            ndcg_of_blend(whole, np.array(weights)).mean(), abs=0.005
        )
