from __future__ import annotations

import numpy as np
import pytest

from models.interaction_matrix import ItemIndex
from models.recommenders.kernels.trending import DAY_SECONDS, decayed_wants, half_life_days_of, log_wants, newness
from models.recommenders.popularity import decayed_popularity_of
from models.recommenders.training_matrix import preference_matrix
from tests.models.frames import events_of, rating
from tests.models.recommenders.kernels.boards import matrix_of


def test_a_want_of_a_half_life_ago_counts_half() -> None:
    matrix = matrix_of([(0, 0, 1, 0.0), (1, 1, 1, 7 * DAY_SECONDS)], n_users=2, n_items=2)

    wants = decayed_wants(matrix, 7.0)

    assert wants[0] == pytest.approx(wants[1] / 2)


def test_wants_are_those_of_decayed_popularity() -> None:
    from models.preferences import build_interactions

    rows = [rating(f"u{at % 5}", f"i{at % 7}", 1.0 + at % 5) for at in range(30)]
    interactions = build_interactions(events_of(rows).lazy())
    items = ItemIndex.of(interactions)

    old = decayed_popularity_of(interactions, items, half_life_days=0.01)
    new = decayed_wants(preference_matrix(interactions, items), 0.01)

    np.testing.assert_allclose(np.maximum(old, 0), new, atol=0.05)


def test_what_is_only_disliked_is_not_wanted() -> None:
    matrix = matrix_of([(0, 0, -1, 0.0), (0, 1, 1, 0.0)], n_users=1, n_items=3)

    scores = log_wants(matrix, 7.0)

    assert decayed_wants(matrix, 7.0)[0] == 0
    assert scores[1] > scores[0] == scores[2]


def test_a_newer_item_is_newer_and_an_untouched_one_as_old_as_the_oldest() -> None:
    matrix = matrix_of([(0, 0, 1, 0.0), (0, 1, 1, 5 * DAY_SECONDS), (1, 0, 1, 5 * DAY_SECONDS)], n_users=2, n_items=3)

    new = newness(matrix)

    assert new[1] > new[0] == new[2]


def test_without_times_everything_is_as_old_as_everything_else() -> None:
    matrix = matrix_of([(0, 0, 1, np.nan), (1, 1, 1, np.nan)], n_users=2, n_items=2)

    assert decayed_wants(matrix, 1.0).tolist() == pytest.approx([1.0, 1.0])
    assert not newness(matrix).any()


def test_the_half_life_is_that_of_the_heavier_cuts() -> None:
    assert half_life_days_of([[3.0, 1.0], [1.0, 2.0]], (1.0, 9.0), importance=(1.0, 3.0)) == 9.0
    with pytest.raises(ValueError, match="half-lives"):
        half_life_days_of([], (1.0, 9.0))
