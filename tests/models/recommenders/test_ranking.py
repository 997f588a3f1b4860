"""The best of a row of scores."""

from __future__ import annotations

import numpy as np
import pytest

from models.recommenders.ranking import top_positions


@pytest.mark.parametrize("n", [0, 1, 3, 6, 10])
def test_equals_a_full_stable_sort_whatever_the_ties(n: int) -> None:
    scores = np.array([0.2, 0.9, 0.9, -1.0, 0.2, 0.9], dtype=np.float32)

    assert top_positions(scores, n).tolist() == np.argsort(-scores, kind="stable")[:n].tolist()


def test_what_is_excluded_is_never_listed() -> None:
    scores = np.array([-np.inf, 1.0, -np.inf])

    assert top_positions(scores, 3).tolist() == [1]
    assert top_positions(np.full(3, -np.inf), 2).tolist() == []
    assert top_positions(np.empty(0), 2).tolist() == []
