from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import ItemPreference, Stance
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.recommender import Hybrid, HybridModel
from models.recommenders.registry import build_recommender, load_model
from tests.models.frames import checkerboard, ratings, training

KNOWN = {"ranks": "4,4", "regularization": 0.05, "ease_regularization": 1.0, "chosen": True}


@pytest.fixture(scope="module")
def model() -> HybridModel:
    return Hybrid(**KNOWN, newcomer_events=2).fit(training(checkerboard()))


def history_of(*items: str, preference: float = 1.0) -> History:
    return History({item: ItemPreference(preference, 1, 0.0) for item in items})


def test_the_withheld_item_of_a_checkerboard_comes_first(model: HybridModel) -> None:
    matrix = InteractionMatrix.from_frame(checkerboard(), model.items)

    lists = model.recommend_all(matrix, 1)

    assert [model.items.ids[at] for at in lists[:, 0]] == [f"i{user:02d}" for user in range(20)]


def test_one_list_equals_the_same_in_a_batch(model: HybridModel) -> None:
    matrix = InteractionMatrix.from_frame(checkerboard(), model.items)

    together = model.recommend_all(matrix, 10)

    for row in range(0, 20, 3):
        alone = model.recommend(matrix.history(row, model.items), 10)
        assert list(alone.items) == [model.items.ids[at] for at in together[row] if at >= 0]
        assert alone.personal
        assert list(alone.scores) == sorted(alone.scores, reverse=True)


def test_a_stranger_and_who_only_knows_unknown_items_get_what_is_popular(model: HybridModel) -> None:
    stranger, elsewhere = model.recommend(History(), 5), model.recommend(history_of("nowhere"), 5)

    assert stranger == elsewhere
    assert not stranger.personal
    assert len(stranger.items) == 5


def test_one_click_makes_the_list_personal_and_leaves_out_what_is_excluded(model: HybridModel) -> None:
    listed = model.recommend(history_of("i04"), 4, exclude=["i06"])

    assert {int(item[1:]) % 2 for item in listed.items} == {0}
    assert not {"i04", "i06"} & set(listed.items)


def test_reasons_are_the_items_of_the_history_that_point_there(model: HybridModel) -> None:
    found = model.explain(history_of("i02", "i04", "i05"), ["i06", "unknown"], reasons=2)

    assert {reason.item for reason in found[0]} == {"i02", "i04"}
    assert all(reason.liked and reason.stance is Stance.LIKED for reason in found[0])
    assert found[1] == ()


def test_similar_items_are_of_the_same_kind(model: HybridModel) -> None:
    similar = model.similar("i03", 5)

    assert {int(item[1:]) % 2 for item in similar.items} == {1}
    assert "i03" not in similar.items
    assert model.similar("unknown", 5).items == ()


def test_a_stored_model_lists_the_same(model: HybridModel) -> None:
    matrix = InteractionMatrix.from_frame(checkerboard(), model.items)

    again = load_model("hybrid", model.items, model.arrays(), model.config())

    np.testing.assert_array_equal(again.recommend_all(matrix, 10), model.recommend_all(matrix, 10))


def test_the_registry_builds_it_again_with_its_parameters() -> None:
    hybrid = Hybrid(**KNOWN, dislike=0.2, half_life_days=7.0)

    assert build_recommender("hybrid", hybrid.parameters) == hybrid


def test_a_fit_chooses_what_was_not_chosen_before() -> None:
    data = training(checkerboard())

    chosen = Hybrid.choosing(data)

    assert chosen.chosen
    model = Hybrid().fit(data)
    assert model.parts.parameters == HybridParameters.of(chosen.parameters)


def test_nothing_that_carries_weight_is_said() -> None:
    empty = checkerboard().clear()

    with pytest.raises(NotEnoughFeedback, match="hybrid"):
        Hybrid().fit(training(empty, ItemIndex(["i1"])))


def test_equal_ratings_at_one_moment_are_no_error() -> None:
    same = ratings((f"u{user}", f"i{item}", 3.0) for user in range(8) for item in range(user, user + 4))
    moment = same["last_at"].min()
    same = same.with_columns(
        pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias(name) for name in ("last_at", "wanted_at")
    )

    model = Hybrid().fit(training(same))

    assert len(model.recommend(history_of("i3"), 5).items) == 5
