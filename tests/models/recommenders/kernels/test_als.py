from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from models.recommenders.als import UnsignedAls, item_factors
from models.recommenders.foldin import FoldIn
from models.recommenders.kernels.als import AlsParameters, fit_item_factors, solve_rows
from models.recommenders.kernels.matrix import Floats, PreferenceMatrix
from tests.models.recommenders.kernels.boards import best_unseen, checkerboard, matrix_of, random_matrix

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PARAMETERS = AlsParameters(rank=4, regularization=0.05, alpha=1.0, iterations=10)


def test_the_withheld_item_of_a_checkerboard_comes_first() -> None:
    board = checkerboard()

    items = fit_item_factors(board, board.stars, PARAMETERS, seed=1)
    people = solve_rows(board.indptr, board.items, board.stars, items, PARAMETERS)

    assert best_unseen(people @ items.T, board) == list(range(20))


@pytest.mark.parametrize("rank", [3, 16], ids=["histories longer than the rank", "shorter"])
def test_a_half_step_is_the_fold_in_of_serving(rank: int) -> None:
    matrix = random_matrix(1)
    items = np.random.default_rng(1).standard_normal((25, rank)).astype(np.float32)
    parameters = AlsParameters(rank=rank, regularization=0.2, alpha=0.5)

    solved = solve_rows(matrix.indptr, matrix.items, matrix.stars, items, parameters)
    fold_in = FoldIn(items, regularization=0.2, alpha=0.5)
    expected = fold_in.solve_all(matrix.indptr, matrix.items, matrix.stars.astype(np.float64))

    np.testing.assert_allclose(solved, expected, rtol=1e-3, atol=1e-4)


def test_many_rows_solved_at_once_equal_each_alone() -> None:
    matrix = random_matrix(2, n_users=300)
    items = np.random.default_rng(1).standard_normal((25, 5)).astype(np.float32)

    together = solve_rows(matrix.indptr, matrix.items, matrix.stars, items, PARAMETERS)

    for person in (0, 17, 299):
        one = matrix.take(np.array([person]))
        alone = solve_rows(one.indptr, one.items, one.stars, items, PARAMETERS)
        np.testing.assert_allclose(together[person], alone[0], rtol=1e-3, atol=1e-4)


def test_what_nobody_touched_and_who_touched_nothing_are_zero() -> None:
    matrix = matrix_of([(0, 0, 1.0, 0.0), (0, 1, 1.0, 0.0)], n_users=2, n_items=3)

    items = fit_item_factors(matrix, matrix.stars, PARAMETERS, seed=1)
    people = solve_rows(matrix.indptr, matrix.items, matrix.stars, items, PARAMETERS)

    assert not items[2].any()
    assert not people[1].any()


def test_the_same_seed_gives_the_same_factors() -> None:
    board = checkerboard()

    first, second = (fit_item_factors(board, board.stars, PARAMETERS, seed=3) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def objective(matrix: PreferenceMatrix, people: Floats, items: Floats, parameters: AlsParameters) -> float:
    """What both solvers minimise."""
    scores = people @ items.T
    wanted = matrix.binary.toarray()
    confidence = 1.0 + parameters.alpha * matrix.csr(matrix.stars).toarray()
    penalty = (matrix.lengths * (people**2).sum(1)).sum() + (wanted.sum(0) * (items**2).sum(1)).sum()
    return float((confidence * (wanted - scores) ** 2).sum() + parameters.regularization * penalty)


@pytest.mark.spark
def test_spark_and_the_in_memory_solver_reach_the_same_lists(spark: SparkSession) -> None:
    """Both minimise one objective from different first factors: its value within 1 %, scores closely correlated."""
    rng = np.random.default_rng(5)
    chosen = [(user, int(item)) for user in range(120) for item in rng.choice(20, 8, replace=False) + 20 * (user % 3)]
    matrix = matrix_of(((user, item, 1.0, 0.0) for user, item in chosen), n_users=120, n_items=60)
    parameters = AlsParameters(rank=3, regularization=0.1, alpha=0.5, iterations=15)
    ratings = pl.DataFrame(
        {"user": matrix.users.astype(np.int32), "factor_row": matrix.items, "strength": matrix.stars}
    )
    als = UnsignedAls(rank=3, regularization=0.1, alpha=0.5, iterations=15)
    spark = item_factors(ratings, parameters=als, session=spark, rows=60, seed=1)
    memory = fit_item_factors(matrix, matrix.stars, parameters, seed=1)

    values, scored = [], []
    for items in (spark, memory):
        people = solve_rows(matrix.indptr, matrix.items, matrix.stars, items, parameters)
        scored.append(people @ items.T)
        values.append(objective(matrix, people, items, parameters))
    assert values[0] == pytest.approx(values[1], rel=0.01)
    assert np.corrcoef(scored[0].ravel(), scored[1].ravel())[0, 1] > 0.99
