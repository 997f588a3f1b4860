"""Items whose title, description, categories and tags are like those of a history: works for what nobody chose yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.recommenders.factors import prior_of
from models.recommenders.kernels.content import reduced, terms_of, tf_idf
from models.recommenders.kernels.matrix import Floats, PreferenceMatrix
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Arrays, Config, Model, Ranking, Recommender, Scores
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import history_matrix, one_history

TIE_BREAK = 1e-3
"""Share of what is popular in a score: it orders items of the same content."""


class ContentModel(Model):
    """Lists by closeness to what a history likes, away from what it dislikes."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        vectors: Floats,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.vectors = vectors
        self._prior = np.float32(TIE_BREAK) * prior_of(popularity)

    def scores(self, history: History) -> Scores | None:
        """Closeness by item; None where the history has no content."""
        scores = self._close(one_history(history, self.items))[0]
        return None if np.isnan(scores[0]) else scores

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The same, users x items; NaN where a history has no content."""
        return self._close(history_matrix(histories, len(self.items), rows))

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items of the closest content; nothing for an item without."""
        place = self.items.position(item)
        if place is None or not self.vectors[place].any():
            return Ranking((), (), personal=False)
        scores = np.where(self.available, self.vectors @ self.vectors[place], np.float32(-np.inf))
        scores[[place, *self.items.positions(exclude)]] = -np.inf
        best = top_positions(scores, n)
        return Ranking(tuple(self.items.ids[at] for at in best), tuple(scores[best].tolist()), personal=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and the items' vectors."""
        return {"popularity": self.popularity, "vectors": self.vectors}

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model that was stored."""
        return cls(items, arrays["popularity"], vectors=arrays["vectors"], available=available)

    def _close(self, histories: PreferenceMatrix) -> Scores:
        leaning = histories.csr(np.where(histories.preference < 0, histories.preference, 1.0).astype(np.float32))
        people = np.asarray(leaning @ self.vectors, dtype=np.float32)
        length = np.linalg.norm(people, axis=1, keepdims=True)
        people = np.divide(people, length, out=np.full_like(people, np.nan), where=length > TIE_BREAK)
        scores: Scores = people @ self.vectors.T + self._prior
        return scores


@dataclass(frozen=True)
class Content(Recommender):
    """TF-IDF of the catalogue's texts, reduced by SVD."""

    name = "content"
    model = ContentModel
    compared = False

    rank: int = 64
    half_life_days: float = HALF_LIFE_DAYS

    def fit(self, data: TrainingData) -> ContentModel:
        """Learn the items' vectors.

        Raises:
            NotEnoughFeedback: No two items of the catalogue share a word or a category.
        """
        vectors = reduced(tf_idf(documents(data.catalogue)), self.rank, seed=data.seed)
        if not vectors.any():
            raise NotEnoughFeedback("content: no two items share a word or a category; send catalogue entries first")
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return ContentModel(data.items, popularity, vectors=vectors)


def documents(catalogue: pl.DataFrame) -> list[list[str]]:
    """The terms of each item: words of title and description, categories and tags as a whole."""
    found: list[list[str]] = []
    for row in catalogue.select("item_id", "title", "description", "categories", "tags").iter_rows():
        item, title, description, categories, tags = row
        words = terms_of(description or "") + ([] if title == item else terms_of(title))
        found.append(words + [f"category:{name}" for name in categories] + [f"tag:{name}" for name in tags])
    return found
