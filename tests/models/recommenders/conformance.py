"""What holds of every recommender; a test class inherits it and says which recommender it is about.

The right answer is known: on a checkerboard even people like even items and odd people odd ones, and each person lacks
the one item of their own number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
import pytest

from feedback.errors import NotEnoughFeedback
from models.bundle.bundle import Provenance, load_bundle, write_bundle
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import ItemPreference
from models.recommenders import recommender
from models.recommenders.recommender import Model, Recommender
from models.recommenders.registry import RECOMMENDERS, build_recommender, load_model, recommender_class
from models.recommenders.training_data import TrainingData, no_session
from tests.models.frames import checkerboard, ratings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIZE = 12
LIKED = ItemPreference(explicit=1.0)
DISLIKED = ItemPreference(explicit=-1.0)


def liking(*items: str) -> History:
    return History(dict.fromkeys(items, LIKED))


class RecommenderConformance:
    """Inherit it as `TestX` and set `recommender`; for a recommender that Spark fits, override `spark_of` too."""

    recommender: ClassVar[Recommender]

    @pytest.fixture(scope="class")
    @classmethod
    def spark_of(cls) -> Callable[[], SparkSession]:
        """Gives the Spark session; overridden for a recommender that needs one."""
        return no_session

    @staticmethod
    def data(
        interactions: pl.DataFrame, spark_of: Callable[[], SparkSession], items: ItemIndex | None = None
    ) -> TrainingData:
        return TrainingData.of(interactions, items, seed=3, session=spark_of)

    @pytest.fixture(scope="class")
    @classmethod
    def board(cls, spark_of: Callable[[], SparkSession]) -> TrainingData:
        return cls.data(checkerboard(SIZE), spark_of)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, board: TrainingData) -> Model:
        return cls.recommender.fit(board)

    def test_it_is_registered_under_its_name_and_built_from_its_parameters(self) -> None:
        found = recommender_class(self.recommender.name)

        assert self.recommender.name in RECOMMENDERS
        assert isinstance(self.recommender, found)
        assert build_recommender(found.name, self.recommender.parameters) == self.recommender

    def test_there_are_parameters_to_choose_among(self, board: TrainingData) -> None:
        options = type(self.recommender).options(board)

        assert options
        assert all(type(option) is type(self.recommender) for option in options)
        assert len({str(option.parameters) for option in options}) == len(options)

    def test_on_a_checkerboard_each_person_is_given_what_they_lack(self, board: TrainingData, model: Model) -> None:
        for row in range(len(board.matrix)):
            history = board.matrix.history(row, board.items)
            unseen = [place for place, item in enumerate(board.items) if item not in history.preferences]
            popular = board.items.ids[max(unseen, key=lambda place: (model.popularity[place], -place))]
            ranking = model.recommend(history, 1)
            assert ranking.items == ((f"i{row:02d}",) if model.personal else (popular,))
            assert ranking.personal is model.personal

    def test_somebody_who_came_after_the_fit_is_served_by_their_history(self, model: Model) -> None:
        if not model.personal:
            assert not model.recommend(liking("i00", "i02"), 3).personal
            return

        for parity in (0, 1):
            history = liking(f"i{parity:02d}", f"i{parity + 2:02d}")
            assert {int(item[1:]) % 2 for item in model.recommend(history, 3).items} == {parity}

    def test_a_batch_of_several_blocks_gives_the_lists_of_single_calls(
        self, board: TrainingData, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recommender, "CELLS_PER_BLOCK", 5 * SIZE)

        lists = model.recommend_all(board.matrix, SIZE)

        for row, positions in enumerate(lists):
            ranking = model.recommend(board.matrix.history(row, board.items), SIZE)
            listed = tuple(board.items.ids[at] for at in positions if at >= 0)
            assert set(listed) == set(ranking.items)
            scores = dict(zip(ranking.items, ranking.scores, strict=True))
            np.testing.assert_allclose([scores[item] for item in listed], ranking.scores, rtol=1e-3, atol=1e-5)

    def test_a_batch_has_rows_for_people_without_a_history(self, board: TrainingData, model: Model) -> None:
        lists = model.recommend_all(board.matrix.take(["u00", "nobody"]), 3)

        popular = model.recommend(History(), 3).items
        assert tuple(board.items.ids[at] for at in lists[1]) == popular

    def test_an_empty_history_gives_what_is_popular(self, model: Model) -> None:
        ranking = model.recommend(History(), SIZE)

        assert not ranking.personal
        assert [model.popularity[model.items.position(item) or 0] for item in ranking.items] == sorted(
            model.popularity.tolist(), reverse=True
        )

    def test_unknown_items_are_passed_over(self, model: Model) -> None:
        known = liking("i00", "i02")
        mixed = History({**known.preferences, "unheard": LIKED})

        ranking = model.recommend(mixed, 3, exclude=("never seen",))

        assert ranking == model.recommend(known, 3)
        assert not model.recommend(liking("unheard"), 3).personal
        assert model.explain(mixed, ("unheard",)) == ((),)
        assert model.similar("unheard", 3).items == ()

    def test_nothing_known_excluded_or_unavailable_is_listed(self, board: TrainingData, model: Model) -> None:
        available = np.array([item != "i04" for item in board.items])
        stored = load_model(self.recommender.name, board.items, model.arrays(), model.config(), available=available)

        everything = stored.recommend(liking("i00"), 2 * SIZE, exclude=("i06", "i08")).items

        assert set(everything) == set(board.items) - {"i00", "i04", "i06", "i08"}
        assert len(everything) == len(set(everything))
        assert "i04" not in stored.similar("i02", 2 * SIZE).items
        assert stored.recommend(liking("i00"), 0).items == ()

    def test_scores_are_numbers_from_the_best_down(self, board: TrainingData, model: Model) -> None:
        for history in (History(), liking("i00"), History({"i00": LIKED, "i01": DISLIKED}), History({"i01": DISLIKED})):
            scores = model.recommend(history, SIZE).scores
            assert np.isfinite(scores).all()
            assert list(scores) == sorted(scores, reverse=True)

    def test_reasons_and_similar_items_are_of_the_persons_own_kind(self, board: TrainingData, model: Model) -> None:
        history = board.matrix.history(0, board.items)
        ranking = model.recommend(history, 3)

        for reasons in model.explain(history, ranking.items, reasons=2):
            assert len(reasons) <= 2
            assert all(reason.item in history.preferences and reason.contribution > 0 for reason in reasons)
        assert all(int(item[1:]) % 2 == 0 for item in model.similar("i02", SIZE // 2 - 1).items)

    def test_a_bundle_holds_the_whole_model(self, board: TrainingData, model: Model, tmp_path: Path) -> None:
        write_bundle(
            tmp_path / "bundle", model, name=self.recommender.name, parameters=self.recommender.parameters,
            interactions=board.interactions, items=board.catalogue,
            provenance=Provenance(created_at=datetime(2026, 1, 1, tzinfo=UTC), metrics={}),
        )  # fmt: skip

        bundle = load_bundle(tmp_path / "bundle")

        assert type(bundle.model) is type(model)
        for row in range(len(board.matrix)):
            history = bundle.history_of(f"u{row:02d}")
            ranking = bundle.recommend(history, 5)
            assert ranking == model.recommend(history, 5)
            assert bundle.explain(history, ranking.items) == model.explain(history, ranking.items)
        assert bundle.similar("i02", 3) == model.similar("i02", 3)

    def test_a_repeat_with_the_same_seed_is_equal_and_leaves_the_data_as_they_were(
        self, board: TrainingData, model: Model
    ) -> None:
        before = board.interactions.clone()

        again = self.recommender.fit(board)

        assert board.interactions.equals(before)
        assert again.config() == model.config()
        assert again.arrays().keys() == model.arrays().keys()
        for name, values in model.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], values, err_msg=name)

    @pytest.mark.parametrize(
        "interactions",
        [
            pytest.param([("one", f"i{n}", 5.0) for n in range(4)], id="one person"),
            pytest.param([(f"p{n}", "i0", 5.0) for n in range(4)], id="one item"),
            pytest.param([("one", "i0", 5.0)], id="one event"),
            pytest.param([(f"p{n}", f"i{n % 3}", 3.0) for n in range(9)], id="equal ratings, one each"),
            pytest.param([(f"p{n}", f"i{m}", 1.0) for n in range(3) for m in range(3)], id="dislikes alone"),
            pytest.param([], id="nothing"),
        ],
    )
    def test_tiny_data_give_lists_or_are_refused_as_too_little(
        self, interactions: list[tuple[str, str, float]], spark_of: Callable[[], SparkSession]
    ) -> None:
        items = ItemIndex([f"i{n}" for n in range(4)] + ["untouched"])
        data = self.data(ratings(interactions), spark_of, items)
        try:
            model = self.recommender.fit(data)
        except NotEnoughFeedback:
            return

        for history in (History(), liking("i0"), liking("i0", "untouched"), History({"i0": DISLIKED})):
            ranking = model.recommend(history, 9)
            assert set(ranking.items) == set(items) - set(history.preferences)
            assert np.isfinite(ranking.scores).all()
        batch = InteractionMatrix.from_frame(data.interactions, items)
        assert model.recommend_all(batch, 9).shape == (len(batch), 9)
