"""The hybrid as a recommender: chooses inside what it is given, fits its parts, and lists for any history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex, ItemPositions
from models.preferences import stance_of
from models.recommenders.hybrid.choosing import choose
from models.recommenders.hybrid.lists import HybridLists
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.parts import HybridParts, arrays_of, fit_parts, parts_from
from models.recommenders.hybrid.reasons import contributions
from models.recommenders.hybrid.scoring import PartScores
from models.recommenders.popularity import decayed_popularity_of
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Arrays, Config, Model, Ranking, Reason, Recommender, Scores
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import history_matrix, one_history, preference_matrix


class HybridModel(Model):
    """Lists by taste with a slot for what is wanted lately; strangers get what is wanted lately alone."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        parts: HybridParts,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.parts = parts

    def scores(self, history: History) -> Scores | None:
        """Taste; None for a history without items that this model knows."""
        matrix = one_history(history, self.items)
        return PartScores(self.parts, matrix).taste()[0] if matrix.nnz else None

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """Taste, users x items; NaN for a history without items."""
        matrix = history_matrix(histories, len(self.items), rows)
        scores = PartScores(self.parts, matrix).taste()
        scores[matrix.lengths == 0] = np.nan
        return scores

    def recommend(self, history: History, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The composed list; scores are those of taste, and fall with the places."""
        matrix = one_history(history, self.items)
        if not matrix.nnz or n < 1:
            return super().recommend(history, n, exclude=exclude)
        barred = self.available.copy()
        barred[self.items.positions(exclude)] = False
        scores = PartScores(self.parts, matrix)
        places = HybridLists(self.parts, barred).served(scores, n)[0]
        places = places[places >= 0]
        falling = np.minimum.accumulate(scores.taste()[0, places])
        return Ranking(tuple(self.items.ids[at] for at in places), tuple(falling.tolist()), personal=True)

    def recommend_all(self, histories: InteractionMatrix, n: int) -> ItemPositions:
        """The composed lists of many at once."""
        matrix = history_matrix(histories, len(self.items))
        lists = np.full((len(matrix), n), -1, dtype=np.int32)
        strange = matrix.lengths == 0
        known = np.flatnonzero(~strange)
        if n and len(known):
            lists[known] = HybridLists(self.parts, self.available).lists(matrix.take(known), n)
        popular = np.where(self.available, self.popularity, np.float32(-np.inf))
        best = top_positions(popular, n)
        lists[np.flatnonzero(strange)[:, None], np.arange(len(best))] = best
        return lists

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that speak most for it in factors and neighbourhood."""
        places, explicit, implicit = history.columns(self.items)
        matrix = one_history(history, self.items)
        known = [self.items.position(item) for item in items]
        if not matrix.nnz:
            return tuple(() for _ in items)
        added = contributions(self.parts, matrix, np.array([place or 0 for place in known], dtype=np.int64))
        found: list[tuple[Reason, ...]] = []
        for row, place in enumerate(known):
            best = np.argsort(-added[row], kind="stable")[:reasons].tolist() if place is not None else []
            found.append(tuple(
                Reason(
                    self.items.ids[places[at]], float(added[row, at]), liked=bool(matrix.preference[at] >= 0),
                    stance=stance_of(float(explicit[at]), float(implicit[at])),
                )
                for at in best if added[row, at] > 0
            ))  # fmt: skip
        return tuple(found)

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items whose factors point the same way, by cosine; nothing for an unlearnt item."""
        place = self.items.position(item)
        if place is None or not self._directions[place].any():
            return Ranking((), (), personal=False)
        scores = self._directions @ self._directions[place]
        scores = np.where(self.available & self._directions.any(axis=1), scores, np.float32(-np.inf))
        scores[place] = -np.inf
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        return Ranking(tuple(self.items.ids[at] for at in best), tuple(scores[best].tolist()), personal=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and the arrays of each part."""
        return {"popularity": self.popularity, **arrays_of(self.parts)}

    def config(self) -> dict[str, Any]:
        """The parameters."""
        return self.parts.parameters.flat()

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model that was stored."""
        parts = parts_from(arrays, HybridParameters.of(config))
        return cls(items, arrays["popularity"], parts=parts, available=available)

    @cached_property
    def _directions(self) -> Scores:
        factors = self.parts.factors[-1]
        length = np.linalg.norm(factors, axis=1, keepdims=True)
        directions: Scores = np.divide(factors, length, out=np.zeros_like(factors), where=length > 0)
        return directions


@dataclass(frozen=True)
class Hybrid(HybridParameters, Recommender):
    """Factors, neighbourhood, similar people, dislikes and what is wanted lately in one list."""

    name = "hybrid"
    model = HybridModel
    compared = False

    chosen: bool = False
    """Whether the parameters were chosen before; otherwise a fit chooses them inside the data that it is given."""

    @classmethod
    def choosing(cls, data: TrainingData) -> Self:
        """The parameters that this data asks for, to be remembered and fitted again."""
        parameters = choose(preference_matrix(data.interactions, data.items), seed=data.seed).parameters
        return cls(**parameters.flat(), chosen=True)  # type: ignore[arg-type]

    def fit(self, data: TrainingData) -> HybridModel:
        """Choose where that is left to do, and fit all parts.

        Raises:
            NotEnoughFeedback: No interaction carries weight.
        """
        matrix = preference_matrix(data.interactions, data.items)
        if not matrix.nnz:
            raise NotEnoughFeedback(
                f"hybrid: none of {data.interactions.height} interactions carries weight; "
                "send feedback about items first"
            )
        parameters = HybridParameters.of(asdict(self))
        if not self.chosen:
            parameters = choose(matrix, parameters, seed=data.seed).parameters
        parts = fit_parts(matrix, parameters, seed=data.seed)
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=parameters.half_life_days)
        return HybridModel(data.items, popularity, parts=parts)
