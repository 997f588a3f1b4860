from __future__ import annotations

import numpy as np

from models.recommenders.kernels.dislike import fit_dislike, rates, rates_of_people
from models.recommenders.kernels.explicit import ExplicitParameters, fit_explicit
from tests.models.recommenders.kernels.boards import matrix_of


def test_the_fit_finds_the_coefficients_that_made_the_dislikes() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((20_000, 3)).astype(np.float32) * np.array([1.0, 2.0, 1.0], dtype=np.float32)
    logit = 1.5 * features[:, 0] - 0.5 * features[:, 1] - 1.0
    disliked = rng.random(20_000) < 1 / (1 + np.exp(-logit))

    model = fit_dislike(features, disliked)

    np.testing.assert_allclose(model.coefficients, [1.5, -0.5, 0.0], atol=0.08)
    assert abs(model.intercept + 1.0) < 0.08
    np.testing.assert_allclose(model.logit(features[:3]), logit[:3], atol=0.3)


def test_few_dislikes_teach_nothing() -> None:
    features = np.random.default_rng(1).standard_normal((500, 2)).astype(np.float32)

    model = fit_dislike(features, np.arange(500) < 10)

    assert not model.learnt
    assert not model.logit(features).any()


def test_a_constant_feature_gets_no_say() -> None:
    features = np.random.default_rng(1).standard_normal((1000, 2)).astype(np.float32)
    features[:, 1] = 7.0

    model = fit_dislike(features, features[:, 0] > 0)

    assert model.coefficients[1] == 0
    assert np.isfinite(model.coefficients).all()


def test_rates_are_shrunk_towards_everybody() -> None:
    rows = [(user, 0, -1.0, 0.0) for user in range(50)] + [(0, 1, -1.0, 0.0)]
    rows += [(user, 2, 1.0, 0.0) for user in range(50)]
    matrix = matrix_of(rows, n_users=51, n_items=4)

    by_item, rate = rates(matrix)
    by_person = rates_of_people(matrix, rate)

    assert by_item[0] > by_item[1] > by_item[3] > by_item[2]
    assert by_person[0] > by_person[50]


def test_explicit_factors_predict_who_likes_what() -> None:
    """Two tastes: the first half likes even items and dislikes odd ones, the second half the other way round."""
    rows = [(user, item, 1.0 if (user < 10) == (item % 2 == 0) else -1.0, 0.0)
            for user in range(20) for item in range(12) if (user + item) % 5]  # fmt: skip
    matrix = matrix_of(rows, n_users=20, n_items=12)

    model = fit_explicit(matrix, ExplicitParameters(rank=2, regularization=0.5), seed=1)
    bias, vectors = model.fold_in(matrix.indptr, matrix.items, matrix.preference)
    predicted = model.predict(bias, vectors)

    assert predicted[0, 0] > 0.3 > -0.3 > predicted[0, 5]
    assert predicted[15, 5] > 0.3 > -0.3 > predicted[15, 0]
