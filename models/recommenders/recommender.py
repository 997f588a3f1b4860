"""What every recommender is: something that is fitted to interactions and then lists items for a history.

A model scores by history alone, never by who it is: somebody who came a second ago is served as anybody else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from models.interaction_matrix import History, InteractionMatrix, ItemIndex, Positions
from models.recommenders.ranking import top_positions

Scores = npt.NDArray[np.float32]

USERS_PER_BLOCK = 1024
"""Rows scored at once in a batch: bounds memory to this many times the catalogue."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list for one person, best first."""

    items: tuple[str, ...]
    scores: tuple[float, ...]
    personal: bool
    """Whether the history decided it; otherwise it is what is popular."""


class Model(ABC):
    """A fitted recommender. Subclasses score; choosing, excluding and falling back are the same for all."""

    def __init__(self, items: ItemIndex, popularity: Scores, *, available: npt.NDArray[np.bool_] | None = None) -> None:
        self.items = items
        self.popularity = popularity
        self.available = np.ones(len(items), dtype=np.bool_) if available is None else available

    @abstractmethod
    def scores(self, history: History) -> Scores | None:
        """A score per item, or None where the history says nothing that this model could use."""

    @abstractmethod
    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """Scores of a block of histories, users x items; a row of NaN where `scores` would give None."""

    def recommend(self, history: History, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The best n available items outside the history and `exclude`; what is popular where it says nothing.

        The list is shorter than n where fewer items are left.
        """
        found = self.scores(history)
        scores = np.where(self.available, self.popularity if found is None else found, np.float32(-np.inf))
        scores[history.columns(self.items).items] = -np.inf
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        return Ranking(
            items=tuple(self.items.ids[place] for place in best),
            scores=tuple(scores[best].tolist()),
            personal=found is not None,
        )

    def recommend_all(self, histories: InteractionMatrix, n: int) -> Positions:
        """Lists for many at once: users x n positions in `items`, best first, -1 where a list ends early."""
        lists = np.full((len(histories), n), -1, dtype=np.int32)
        for start in range(0, len(histories), USERS_PER_BLOCK):
            stop = min(start + USERS_PER_BLOCK, len(histories))
            scores = self.batch_scores(histories, slice(start, stop))
            silent = np.isnan(scores[:, 0]) if scores.shape[1] else np.zeros(stop - start, dtype=np.bool_)
            scores = np.where(silent[:, None], self.popularity, scores)
            scores = np.where(self.available, scores, np.float32(-np.inf))
            for row in range(start, stop):
                seen = histories.items[histories.indptr[row] : histories.indptr[row + 1]]
                scores[row - start, seen] = -np.inf
                best = top_positions(scores[row - start], n)
                lists[row, : len(best)] = best
        return lists


class Recommender(Protocol):
    """Something that can be fitted; frozen parameters, no state."""

    @property
    def name(self) -> str:
        """What the recommender is called in evaluations and bundles."""

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """The parameters of a fit, as they are tracked."""

    def fit(self, interactions: pl.DataFrame, items: ItemIndex, *, seed: int) -> Model:
        """Learn from an interactions frame; every item of `items` can be listed, learnt or not."""
