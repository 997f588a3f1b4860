"""What people with a similar history chose: made for newcomers of one to a few events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.recommenders.arrays import sparse_arrays, sparse_of
from models.recommenders.hybrid.parts import comparable_people
from models.recommenders.kernels.matrix import Floats, PreferenceMatrix
from models.recommenders.kernels.user_neighbours import neighbour_shares
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from models.recommenders.recommender import Arrays, Config, Model, Recommender, Scores
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import history_matrix, one_history, preference_matrix


class UserNeighboursModel(Model):
    """Lists by the share of similar people who chose an item."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        people: sparse.csr_array,
        prior_weight: float,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.people = people
        self.prior_weight = prior_weight

    def scores(self, history: History) -> Scores | None:
        """Shares by item; None for a history without items that this model knows."""
        matrix = one_history(history, self.items)
        return self._shares(matrix)[0] if matrix.nnz else None

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The same, users x items; NaN for a history without items."""
        matrix = history_matrix(histories, len(self.items), rows)
        scores = self._shares(matrix)
        scores[matrix.lengths == 0] = np.nan
        return scores

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and who chose what."""
        return {"popularity": self.popularity, **sparse_arrays("people", self.people)}

    def config(self) -> dict[str, Any]:
        """The weight of the prior."""
        return {"prior_weight": self.prior_weight}

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model that was stored."""
        people = sparse_of("people", arrays, columns=len(items))
        weight = float(config["prior_weight"])
        return cls(items, arrays["popularity"], people=people, prior_weight=weight, available=available)

    @cached_property
    def _by_item(self) -> sparse.csr_array:
        return self.people.T.tocsr()

    @cached_property
    def _prior(self) -> Floats:
        chosen = np.bincount(self.people.indices, minlength=len(self.items))
        prior: Floats = (chosen / max(self.people.shape[0], 1)).astype(np.float32)
        return prior

    def _shares(self, histories: PreferenceMatrix) -> Scores:
        return neighbour_shares(
            histories.binary, self.people, self._prior, prior_weight=self.prior_weight, by_item=self._by_item
        )


@dataclass(frozen=True)
class UserNeighbours(Recommender):
    """Squared overlap over shrunk length weighs each person of the log."""

    name = "user_neighbours"
    model = UserNeighboursModel
    compared = False

    prior_weight: float = 0.2
    """How much similarity everybody's share counts for."""
    half_life_days: float = HALF_LIFE_DAYS

    def fit(self, data: TrainingData) -> UserNeighboursModel:
        """Keep who chose what.

        Raises:
            NotEnoughFeedback: Nobody chose two items.
        """
        people = comparable_people(preference_matrix(data.interactions, data.items))
        if not people.shape[0]:
            raise NotEnoughFeedback("user_neighbours: nobody has two items; send more feedback first")
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return UserNeighboursModel(data.items, popularity, people=people, prior_weight=self.prior_weight)
