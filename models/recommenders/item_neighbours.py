"""Item-to-item neighbours: what is liked by the people who like the items of a history.

Deshpande and Karypis, "Item-based top-N recommendation algorithms" (ACM TOIS 22, 2004): the similarity of two items is
the cosine of their columns in the matrix of who likes what, each item keeps its most similar ones with their
similarities scaled to length 1, and a list is ranked by the sum of similarities to the history. Two changes: a cosine
that few people support is shrunk, and the weight of an item preference weighs its similarities. Dislikes are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import Floats, stance_of, weighed
from models.recommenders.arrays import sparse_arrays, sparse_of
from models.recommenders.factors import prior_of
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Arrays, Config, Model, Ranking, Reason, Recommender, Scores
from models.recommenders.training_data import TrainingData

MOST_ITEMS = 500
"""Of one person, the latest: pairs grow with the square, and a person of 100,000 items would outweigh everybody."""
CELLS_PER_BLOCK = 4_000_000
"""Similarities computed at once: bounds memory to some tens of MB."""
TINY = 1e-12
TIE_BREAK = 1e-3
"""Share of what is popular in a score: it orders items that a history says nothing about."""


class ItemNeighboursModel(Model):
    """Lists by similarity to what a history likes."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        similarity: sparse.csr_array,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.similarity = similarity
        self._prior = np.float32(TIE_BREAK) * prior_of(popularity)

    def scores(self, history: History) -> Scores | None:
        """Mean similarity to the liked items, weighted; None where nothing liked has a neighbour."""
        positions, explicit, implicit = history.columns(self.items)
        scores = self._scores(np.array([0, len(positions)]), positions, *weighed(explicit, implicit))[0]
        return None if np.isnan(scores).all() else scores

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The same for many, users x items."""
        start, stop = int(histories.indptr[rows.start]), int(histories.indptr[rows.stop])
        preference, weight = (column[start:stop] for column in histories.preference_and_weight)
        indptr = histories.indptr[rows.start : rows.stop + 1] - start
        return self._scores(indptr, histories.items[start:stop], preference, weight)

    def _scores(
        self, indptr: npt.NDArray[np.int64], items: npt.NDArray[np.int32], preference: Floats, weight: Floats
    ) -> Scores:
        """Users x items from histories in compressed rows; NaN where nothing liked has a neighbour."""
        if not len(self.items):
            return np.empty((len(indptr) - 1, 0), dtype=np.float32)
        known = np.diff(self.similarity.indptr)[items] > 0
        liked = np.where((preference >= 0) & known, weight, 0.0).astype(np.float32)
        histories = sparse.csr_array((liked, items, indptr), shape=(len(indptr) - 1, len(self.items)))
        total = np.asarray(histories.sum(axis=1), dtype=np.float32).reshape(-1, 1)
        total[total <= 0] = np.nan
        scores: Scores = (histories @ self.similarity).toarray()
        scores /= total
        scores += self._prior
        return scores

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the liked items of the history that are most similar to it."""
        positions, explicit, implicit = history.columns(self.items)
        preference, weight = weighed(explicit, implicit)
        share = np.where(preference >= 0, weight, 0.0)
        targets = [self.items.position(item) for item in items]
        near = self.similarity[positions][:, [position or 0 for position in targets]].toarray() * share[:, None]
        found: list[tuple[Reason, ...]] = []
        for column, target in enumerate(targets):
            best = [] if target is None else np.argsort(-near[:, column], kind="stable")[:reasons].tolist()
            found.append(
                tuple(
                    Reason(
                        self.items.ids[positions[at]],
                        float(near[at, column]),
                        liked=True,
                        stance=stance_of(float(explicit[at]), float(implicit[at])),
                    )
                    for at in best
                    if near[at, column] > 0
                )
            )
        return tuple(found)

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items that the same people like, by similarity."""
        position = self.items.position(item)
        if position is None:
            return Ranking((), (), personal=False)
        row = self.similarity[[position]].toarray()[0]
        scores = np.where(self.available & (row > 0), row, np.float32(-np.inf))
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        return Ranking(tuple(self.items.ids[at] for at in best), tuple(scores[best].tolist()), personal=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and the similarities in compressed rows."""
        return {**super().arrays(), **sparse_arrays("similarity", self.similarity)}

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model with the stored similarities."""
        similarity = sparse_of("similarity", arrays, columns=len(items))
        return cls(items, arrays["popularity"], similarity=similarity, available=available)


@dataclass(frozen=True, slots=True)
class ItemNeighbours(Recommender):
    """Cosine neighbours of each item."""

    name = "item_neighbours"
    model = ItemNeighboursModel

    neighbours: int = 200
    """Similar items that each item keeps."""
    shrink: float = 1.0
    """Added to the people behind a pair, above 0: a cosine that one person supports says little."""
    half_life_days: float = HALF_LIFE_DAYS
    """Of the popularity that strangers get."""

    def fit(self, data: TrainingData) -> ItemNeighboursModel:
        """Count who likes both of two items.

        Raises:
            NotEnoughFeedback: Nobody likes anything.
        """
        likes = likes_of(data)
        if likes.nnz == 0:
            raise NotEnoughFeedback(
                f"{self.name}: none of {data.interactions.height} interactions is a like; "
                "send feedback about items first"
            )
        similarity = cosine_neighbours(likes, neighbours=self.neighbours, shrink=self.shrink)
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return ItemNeighboursModel(data.items, popularity, similarity=similarity)


def likes_of(data: TrainingData) -> sparse.csr_array:
    """People x items, 1 where somebody likes an item or does not mind it; of each person the latest `MOST_ITEMS`."""
    index = pl.DataFrame({"item_id": list(data.items)}, schema={"item_id": pl.String}).with_row_index("position")
    liked = (
        data.interactions.lazy()
        .filter((pl.col("weight") > 0) & (pl.col("preference") >= 0))
        .join(index.lazy(), on="item_id", how="inner")
        .sort("subject", "last_at", "position")
        .select("position", user=pl.col("subject").rank("dense") - 1)
        .group_by("user", maintain_order=True)
        .tail(MOST_ITEMS)
        .collect()
    )
    users, positions = liked["user"].to_numpy(), liked["position"].to_numpy()
    shape = (int(users.max()) + 1 if len(users) else 0, len(data.items))
    return sparse.csr_array((np.ones(len(users), dtype=np.float32), (users, positions)), shape=shape)


def cosine_neighbours(likes: sparse.csr_array, *, neighbours: int, shrink: float) -> sparse.csr_array:
    """Items x items: each row holds the shrunk cosines of its most similar items, scaled to length 1.

    An item is no neighbour of its own. Equal cosines go by position, so that a repeat is equal.
    """
    n = likes.shape[1]
    by_item = likes.T.tocsr()
    people = np.diff(by_item.indptr).astype(np.float32)
    length = np.sqrt(np.maximum(people, 1.0))
    block = max(1, CELLS_PER_BLOCK // max(n, 1))
    values: list[npt.NDArray[np.float32]] = []
    columns: list[npt.NDArray[np.int32]] = []
    for start in range(0, n, block):
        both = (by_item[start : start + block] @ likes).tocsr()
        both.sort_indices()
        for item in range(start, start + both.shape[0]):
            span = slice(both.indptr[item - start], both.indptr[item - start + 1])
            others, count = both.indices[span], both.data[span]
            others, count = others[others != item], count[others != item]
            cosine = count / (length[item] * length[others]) * (count / (count + np.float32(shrink)))
            best = np.sort(top_positions(cosine, neighbours))
            values.append(cosine[best] / np.float32(max(float(np.linalg.norm(cosine[best])), TINY)))
            columns.append(others[best].astype(np.int32))
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in columns])]).astype(np.int64)
    empty: list[Any] = [np.empty(0)]
    data = np.concatenate(values or empty).astype(np.float32)
    return sparse.csr_array((data, np.concatenate(columns or empty).astype(np.int32), indptr), shape=(n, n))
