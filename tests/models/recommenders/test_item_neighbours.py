"""Item-to-item neighbours: the cosines by hand, what counts as a like, and how much of one person."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History
from models.preferences import ItemPreference, Stance
from models.recommenders import item_neighbours
from models.recommenders.item_neighbours import ItemNeighbours, cosine_neighbours, likes_of
from tests.models.frames import ratings, training

LIKES = sparse.csr_array(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]], dtype=np.float32))


def test_rows_are_shrunk_cosines_scaled_to_length_1() -> None:
    found = cosine_neighbours(LIKES, neighbours=9, shrink=1.0).toarray()

    # people: 3, 3, 2, 0; pairs: 0-1 2, 0-2 1, 1-2 2
    first = np.array([0, 2 / 3 * 2 / 3, 1 / np.sqrt(6) * 1 / 2, 0])
    np.testing.assert_allclose(found[0], first / np.linalg.norm(first), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 0], rtol=1e-5)


def test_blocks_and_fewer_neighbours_change_nothing_but_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    likes = sparse.csr_array((rng.random((40, 25)) < 0.3).astype(np.float32))
    whole = cosine_neighbours(likes, neighbours=25, shrink=1.0).toarray()
    monkeypatch.setattr(item_neighbours, "CELLS_PER_BLOCK", 60)

    assert np.array_equal(cosine_neighbours(likes, neighbours=25, shrink=1.0).toarray(), whole)
    few = cosine_neighbours(likes, neighbours=3, shrink=1.0).toarray()
    assert ((few > 0).sum(axis=1) == 3).all()
    assert all(whole[row][few[row] > 0].min() >= np.sort(whole[row])[-3] for row in range(25))


def test_a_dislike_is_neither_learnt_from_nor_listed_by() -> None:
    both = [(f"p{n}", item, 5.0) for n in range(5) for item in ("a", "b")]
    against = [(f"q{n}", item, value) for n in range(9) for item, value in (("a", 5.0), ("c", 1.0))]
    model = ItemNeighbours().fit(training(ratings(both + against)))

    assert [item for item in model.similar("a", 3).items] == ["b"]
    history = History({"a": ItemPreference(explicit=1.0), "c": ItemPreference(explicit=-1.0)})
    assert [[reason.item for reason in reasons] for reasons in model.explain(history, ("b",))] == [["a"]]
    assert not model.recommend(History({"a": ItemPreference(explicit=-1.0)}), 1).personal


def test_a_bought_item_is_a_reason_of_which_no_liking_is_claimed() -> None:
    model = ItemNeighbours().fit(training(ratings([(f"p{n}", item, 5.0) for n in range(5) for item in ("a", "b")])))

    reasons = model.explain(History({"a": ItemPreference(implicit=1.0)}), ("b",))[0]

    assert [reason.stance for reason in reasons] == [Stance.TOUCHED]


def test_of_a_person_of_very_many_items_the_latest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_neighbours, "MOST_ITEMS", 2)
    data = training(ratings([("p", item, 5.0) for item in "cab"] + [("q", "c", 5.0)]))

    likes = likes_of(data).toarray()

    assert likes.tolist() == [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_dislikes_alone_are_too_little_to_learn_from() -> None:
    with pytest.raises(NotEnoughFeedback, match="item_neighbours: none of 2 interactions is a like"):
        ItemNeighbours().fit(training(ratings([("p", "a", 1.0), ("q", "a", 1.0)])))
