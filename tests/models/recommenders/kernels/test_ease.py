from __future__ import annotations

import numpy as np

from models.recommenders.kernels.cooccurrence import TimeKernel, dense_gram, latest_interactions, sparse_gram
from models.recommenders.kernels.ease import dense_ease, neighbour_ease
from tests.models.recommenders.kernels.boards import best_unseen, checkerboard, matrix_of, random_matrix


def test_the_withheld_item_of_a_checkerboard_comes_first() -> None:
    board = checkerboard()

    weights = dense_ease(dense_gram(board), 1.0)

    assert best_unseen(board.binary @ weights, board) == list(range(20))


def test_the_diagonal_of_the_weights_is_zero_and_of_the_counts_the_people_of_an_item() -> None:
    matrix = random_matrix(1)

    gram = dense_gram(matrix, TimeKernel())

    np.testing.assert_allclose(np.diag(gram), np.bincount(matrix.items, minlength=25), rtol=1e-6)
    assert not np.diag(dense_ease(gram, 10.0)).any()


def test_a_pair_counts_by_how_close_in_time_it_was_chosen() -> None:
    matrix = matrix_of([(0, 0, 1, 0.0), (0, 1, 1, 60.0), (0, 2, 1, 86_400.0)], n_users=1, n_items=3)

    gram = dense_gram(matrix, TimeKernel(share=0.5, tau_seconds=(60.0,)))

    np.testing.assert_allclose(gram[0, 1], 0.5 + 0.5 * np.exp(-1), rtol=1e-5)
    np.testing.assert_allclose(gram[0, 2], 0.5, rtol=1e-5)
    np.testing.assert_allclose(gram, gram.T)


def test_without_times_every_pair_counts_alike() -> None:
    matrix = random_matrix(1)
    timeless = type(matrix)(
        matrix.indptr, matrix.items, matrix.preference, matrix.weight, np.full(matrix.nnz, np.nan), matrix.wanted, 25
    )

    np.testing.assert_array_equal(dense_gram(timeless, TimeKernel()), dense_gram(timeless))


def test_sparse_counts_equal_dense_ones_where_nothing_is_cut() -> None:
    matrix = random_matrix(3)

    dense = dense_gram(matrix, TimeKernel())
    sparse = sparse_gram(matrix, TimeKernel(), kept=25, latest=1000, block=7)

    np.testing.assert_allclose(sparse.toarray(), dense, rtol=1e-4, atol=1e-4)


def test_ridges_over_all_neighbours_equal_the_dense_inverse() -> None:
    matrix = random_matrix(3, share=0.6)
    gram = sparse_gram(matrix, TimeKernel(), kept=25, latest=1000)

    sparse = neighbour_ease(gram, 20.0, neighbours=24)

    np.testing.assert_allclose(sparse.toarray().T, dense_ease(gram.toarray(), 20.0), rtol=1e-3, atol=1e-4)


def test_each_item_is_predicted_from_its_best_neighbours_only() -> None:
    matrix = random_matrix(4)

    sparse = neighbour_ease(sparse_gram(matrix, kept=25), 20.0, neighbours=5)

    assert np.diff(sparse.indptr).max() == 5
    assert not sparse.diagonal().any()


def test_an_item_without_people_has_no_neighbours() -> None:
    matrix = matrix_of([(0, 0, 1, 0.0), (0, 1, 1, 0.0)], n_users=1, n_items=3)

    sparse = neighbour_ease(sparse_gram(matrix), 1.0)

    assert sparse.shape == (3, 3)
    assert np.isfinite(sparse.data).all()
    assert sparse.indptr[3] == sparse.indptr[2]


def test_only_the_latest_interactions_of_a_person_pair() -> None:
    matrix = matrix_of([(0, item, 1, 100.0 - item) for item in range(5)] + [(1, 4, 1, 7.0)], n_users=2, n_items=5)

    kept = latest_interactions(matrix, 2)

    assert list(zip(matrix.users[kept], matrix.items[kept], strict=True)) == [(0, 0), (0, 1), (1, 4)]
