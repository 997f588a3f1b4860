from __future__ import annotations

import numpy as np

from models.recommenders.kernels.user_neighbours import neighbour_shares, similar_people
from tests.models.recommenders.kernels.boards import checkerboard, matrix_of


def test_one_item_is_enough_to_list_those_of_its_kind_first() -> None:
    board = checkerboard()
    newcomer = matrix_of([(0, 4, 1.0, 0.0)], n_users=1, n_items=20)

    shares = neighbour_shares(newcomer.binary, board.binary, np.full(20, 0.5, np.float32), prior_weight=0.1)[0]

    assert shares[0::2].min() > shares[1::2].max()


def test_a_shorter_history_with_the_same_overlap_is_more_alike() -> None:
    people = matrix_of([(0, 0, 1, 0), (1, 0, 1, 0), *((1, item, 1, 0) for item in range(1, 9))], n_users=3, n_items=9)
    query = matrix_of([(0, 0, 1.0, 0.0)], n_users=1, n_items=9)

    alike = similar_people(query.binary, people.binary).toarray()[0]

    assert alike[0] > alike[1] > alike[2] == 0


def test_without_anybody_alike_the_prior_decides() -> None:
    people = matrix_of([(0, 0, 1, 0)], n_users=1, n_items=3)
    query = matrix_of([(0, 2, 1.0, 0.0)], n_users=1, n_items=3)
    prior = np.array([0.2, 0.5, 0.3], dtype=np.float32)

    np.testing.assert_allclose(neighbour_shares(query.binary, people.binary, prior, prior_weight=1.0)[0], prior)
