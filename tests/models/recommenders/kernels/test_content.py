from __future__ import annotations

import numpy as np
import pytest

from models.recommenders.kernels.content import reduced, terms_of, tf_idf
from models.recommenders.kernels.quality import quality
from models.recommenders.kernels.trending import DAY_SECONDS
from tests.models.recommenders.kernels.boards import matrix_of

DOCUMENTS = [["red", "wine"], ["red", "wine", "dry"], ["green", "tea"], ["green", "tea", "loose"], []]


def test_words_are_folded_and_short_ones_left_out() -> None:
    assert terms_of("A Straße, 2 pigs & Été_2024") == ["strasse", "pigs", "été", "2024"]


def test_rows_have_length_one_and_terms_of_one_document_are_left_out() -> None:
    weights = tf_idf(DOCUMENTS)

    assert weights.shape == (5, 4)
    np.testing.assert_allclose(np.asarray(weights.multiply(weights).sum(axis=1)).ravel(), [1, 1, 1, 1, 0], rtol=1e-5)


@pytest.mark.parametrize("rank", [2, 10], ids=["truncated", "full"])
def test_documents_of_the_same_words_point_the_same_way(rank: int) -> None:
    vectors = reduced(tf_idf(DOCUMENTS), rank, seed=1)

    close = vectors @ vectors.T
    assert close[0, 1] > 0.9
    assert close[2, 3] > 0.9
    assert abs(close[0, 2]) < 0.1
    assert not vectors[4].any()


def test_no_shared_terms_give_no_vectors() -> None:
    assert not reduced(tf_idf([["one"], ["two"]]), 4, seed=1).any()
    assert not reduced(tf_idf([]), 4, seed=1).any()


def test_quality_is_shrunk_and_fades() -> None:
    rows = [(user, 0, 1.0, 0.0) for user in range(20)] + [(user, 1, -1.0, 0.0) for user in range(20)]
    rows += [(20, 2, 1.0, 0.0)]
    matrix = matrix_of(rows, n_users=21, n_items=4)

    scores = quality(matrix, 30.0)

    assert scores[0] > scores[2] > scores[3] > scores[1]
    turned = matrix_of(
        [(user, 0, 1.0, 0.0) for user in range(9)] + [(user, 0, -1.0, 90 * DAY_SECONDS) for user in range(9, 18)],
        n_users=18, n_items=1,
    )  # fmt: skip
    assert quality(turned, 30.0)[0] < -0.5
