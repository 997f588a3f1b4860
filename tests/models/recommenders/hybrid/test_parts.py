from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.recommenders.hybrid.folds import compact, row_folds, sample_of, time_cuts
from models.recommenders.hybrid.lists import HybridLists
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.parts import HybridParts, arrays_of, fit_parts, parts_from
from models.recommenders.hybrid.slots import composed, slots_of
from models.recommenders.kernels.dislike import DislikeModel
from models.recommenders.kernels.matrix import PreferenceMatrix
from tests.models.recommenders.kernels.boards import checkerboard, random_matrix

SMALL = HybridParameters(ranks="4,4", regularization=0.05, ease_regularization=1.0, newcomer_events=2, known_slots=0)


@pytest.fixture(scope="module")
def matrix() -> PreferenceMatrix:
    return random_matrix(1, n_users=60, n_items=40)


@pytest.fixture(scope="module")
def parts(matrix: PreferenceMatrix) -> HybridParts:
    model = DislikeModel(np.array([0.5, 0.1, -1.0, 0.0, 0.2, -0.3]), 0.0)
    return fit_parts(matrix, replace(SMALL, known_slots=1, known_factors=0.2).with_dislikes(model, 0.3), seed=1)


@pytest.mark.parametrize("neighbours", [0, 15], ids=["dense", "sparse"])
def test_the_withheld_item_of_a_checkerboard_comes_first(neighbours: int) -> None:
    board = checkerboard()

    lists = HybridLists(fit_parts(board, replace(SMALL, ease_neighbours=neighbours), seed=1)).lists(board, 1)

    assert lists[:, 0].tolist() == list(range(20))


def test_one_event_places_a_newcomer_among_their_kind() -> None:
    board = checkerboard()
    newcomers = board.where(np.isin(np.arange(board.nnz), board.indptr[:-1]))

    lists = HybridLists(fit_parts(board, replace(SMALL, newcomer_slots=0), seed=1)).lists(newcomers, 5)

    assert (lists % 2 == newcomers.items[:, None] % 2).all()


def test_lists_of_many_equal_lists_of_each(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    hybrid = HybridLists(parts)

    together = hybrid.lists(matrix, 10)

    for person in range(0, 60, 7):
        assert hybrid.lists(matrix.take(np.array([person])), 10)[0].tolist() == together[person].tolist()


def test_who_has_no_history_gets_what_is_wanted_lately(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    stranger = matrix.take(np.array([0])).where(np.zeros(int(matrix.lengths[0]), dtype=np.bool_))

    listed = HybridLists(parts).lists(stranger, 10)[0]

    assert listed.tolist() == np.argsort(-parts.log_wants, kind="stable")[:10].tolist()


def test_lists_hold_nothing_seen_unavailable_or_twice(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    available = np.arange(40) % 4 > 0

    lists = HybridLists(parts, available).lists(matrix, 10)

    for person, row in enumerate(lists.tolist()):
        seen = set(matrix.items[matrix.indptr[person] : matrix.indptr[person + 1]].tolist())
        listed = [item for item in row if item >= 0]
        assert len(set(listed)) == len(listed)
        assert not seen & set(listed)
        assert all(available[item] for item in listed)


def test_a_longer_list_than_there_are_items_ends_early(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    lists = HybridLists(parts).lists(matrix, 100)

    assert lists.shape == (60, 100)
    np.testing.assert_array_equal((lists >= 0).sum(1), 40 - matrix.lengths)


def test_parts_saved_and_read_again_list_the_same(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    again = parts_from(arrays_of(parts), HybridParameters.of(parts.parameters.flat()))

    np.testing.assert_array_equal(HybridLists(again).lists(matrix, 10), HybridLists(parts).lists(matrix, 10))


def test_arrays_with_nan_or_of_another_catalogue_are_refused(parts: HybridParts) -> None:
    arrays = arrays_of(parts)
    torn = {**arrays, "factors_0": np.full_like(arrays["factors_0"], np.nan)}
    short = {**arrays, "newness": arrays["newness"][:-1]}

    with pytest.raises(ValueError, match="not finite"):
        parts_from(torn, parts.parameters)
    with pytest.raises(ValueError, match="do not fit 40 items"):
        parts_from(short, parts.parameters)
    with pytest.raises(KeyError):
        parts_from({name: array for name, array in arrays.items() if name != "people_values"}, parts.parameters)


def test_the_parts_of_a_score_sum_to_it(parts: HybridParts, matrix: PreferenceMatrix) -> None:
    from models.recommenders.hybrid.scoring import PartScores

    someone, items = matrix.take(np.array([3])), np.array([1, 5, 9])

    added = HybridLists(parts).part_scores(someone, items)

    assert set(added) == {"factors", "ease", "dislike"}
    expected = PartScores(parts, someone).taste()[0, items]
    np.testing.assert_allclose(np.sum(list(added.values()), axis=0), expected, rtol=1e-4, atol=1e-5)


def test_a_stronger_dislike_term_moves_what_is_likely_disliked_down(
    parts: HybridParts, matrix: PreferenceMatrix
) -> None:
    from models.recommenders.hybrid.scoring import PartScores

    mild, strong = (
        HybridLists(replace(parts, parameters=replace(parts.parameters, dislike=strength))).taste_lists(matrix, 5)
        for strength in (0.0, 5.0)
    )
    risk = PartScores(parts, matrix).dislike

    assert np.take_along_axis(risk, strong, 1).mean() < np.take_along_axis(risk, mild, 1).mean() - 0.5


def test_slots_are_tenths_of_a_list_and_filled_from_the_other_ranking() -> None:
    assert [slots_of(n, 1) for n in (1, 4, 5, 10, 20)] == [0, 0, 1, 1, 2]
    assert slots_of(7, 10) == 7
    taste, lately = np.array([[1, 2, 3, 4], [1, 2, -1, -1]]), np.array([[1, 2, 9, 8], [2, 7, 1, -1]])

    lists = composed(taste, lately, np.array([1, 2]))

    assert lists.tolist() == [[1, 2, 3, 9], [1, 2, 7, -1]]


def test_folds_hold_disjoint_rows_and_cuts_follow_time(matrix: PreferenceMatrix) -> None:
    folds, cuts = row_folds(matrix, 3, seed=1), time_cuts(matrix)

    held = [set(zip(fold.held.users.tolist(), fold.held.items.tolist(), strict=True)) for fold in folds]
    assert not held[0] & held[1]
    assert all(fold.train.nnz + fold.held.nnz == matrix.nnz for fold in folds)
    assert all(cut.train.at.max() < cut.held.at.min() for cut in cuts)
    assert [cut.importance for cut in cuts] == [1.0, 2.0, 3.0, 4.0]
    timeless = replace(matrix, at=np.full(matrix.nnz, np.nan))
    assert time_cuts(timeless) == []


def test_a_sample_holds_whole_people_over_the_items_they_touched(matrix: PreferenceMatrix) -> None:
    some = sample_of(matrix, 100, seed=1)

    assert 100 <= some.nnz < 130
    assert len(np.unique(some.items)) == some.n_items
    assert sample_of(matrix, matrix.nnz, seed=1) is matrix
    assert compact(matrix).n_items == len(np.unique(matrix.items))
