"""What was chosen within minutes of the items of a history: for sessions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.recommenders.arrays import sparse_arrays, sparse_of
from models.recommenders.factors import prior_of
from models.recommenders.kernels.cooccurrence import TimeKernel, sparse_gram
from models.recommenders.kernels.matrix import PreferenceMatrix
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Arrays, Config, Model, Ranking, Recommender, Scores
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import history_matrix, one_history, preference_matrix

SHRINK = 5.0
"""People that are added to each item: a pair that few people chose says little."""
TIE_BREAK = 1e-3


class CoVisitationModel(Model):
    """Lists by how often an item is chosen close to those of a history."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        visits: sparse.csr_array,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.visits = visits
        self._prior = np.float32(TIE_BREAK) * prior_of(popularity)

    def scores(self, history: History) -> Scores | None:
        """Summed closeness by item; None where nothing of the history was chosen beside anything."""
        scores = self._carried(one_history(history, self.items))[0]
        return None if np.isnan(scores[0]) else scores

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The same, users x items; NaN where there is nothing to say."""
        return self._carried(history_matrix(histories, len(self.items), rows))

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items that are most often chosen close to this one."""
        place = self.items.position(item)
        if place is None:
            return Ranking((), (), personal=False)
        row = self.visits[[place]].toarray()[0]
        scores = np.where(self.available & (row > 0), row, np.float32(-np.inf))
        scores[[place, *self.items.positions(exclude)]] = -np.inf
        best = top_positions(scores, n)
        return Ranking(tuple(self.items.ids[at] for at in best), tuple(scores[best].tolist()), personal=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and the items by item."""
        return {"popularity": self.popularity, **sparse_arrays("visits", self.visits)}

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model that was stored."""
        visits = sparse_of("visits", arrays, columns=len(items))
        return cls(items, arrays["popularity"], visits=visits, available=available)

    def _carried(self, histories: PreferenceMatrix) -> Scores:
        leaning = histories.csr(np.where(histories.preference < 0, 0.0, 1.0).astype(np.float32))
        scores: Scores = (leaning @ self.visits).toarray().astype(np.float32)
        silent = ~scores.any(axis=1)
        scores += self._prior
        scores[silent] = np.nan
        return scores


@dataclass(frozen=True)
class CoVisitation(Recommender):
    """Pairs of one person count by how close in time they were chosen."""

    name = "co_visitation"
    model = CoVisitationModel
    compared = False

    time_share: float = 1.0
    """Of a pair's count that depends on the gap in time."""
    neighbours: int = 100
    half_life_days: float = HALF_LIFE_DAYS

    def fit(self, data: TrainingData) -> CoVisitationModel:
        """Count pairs, relative to how many people chose each.

        Raises:
            NotEnoughFeedback: No interaction carries weight.
        """
        matrix = preference_matrix(data.interactions, data.items)
        if not matrix.nnz:
            raise NotEnoughFeedback("co_visitation: no interaction carries weight; send feedback about items first")
        counts = sparse_gram(matrix, TimeKernel(share=self.time_share), kept=self.neighbours)
        length = np.sqrt(counts.diagonal() + SHRINK).astype(np.float32)
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        data_of = np.where(rows == counts.indices, 0.0, counts.data / length[rows] / length[counts.indices])
        visits = sparse.csr_array((data_of.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return CoVisitationModel(data.items, popularity, visits=visits)
