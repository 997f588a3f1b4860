"""A model of item factors: lists, reasons and similar items for any history, by folding it in.

A signed model knows two faces of each item, the one that people like and the one that they dislike. Both say what
somebody cares about, so both place them; a list is ranked by the liked face, less `aversion` times the disliked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.foldin import FoldIn
from models.histories import Histories, History, ItemIndex
from models.preferences import weighed
from models.ranking import top_positions
from models.recommender import Model, Ranking, Scores

PRIOR_WEIGHT = 5.0
"""A history of this weight trusts its factors and what is popular alike; a longer one trusts its factors more."""

Factors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ItemFactors:
    """What a fit leaves: factors of both faces (items x rank) and the objective they were fitted under."""

    liked: Factors
    disliked: Factors | None
    """None in an unsigned model, to which every touch is a liking."""
    regularization: float
    alpha: float
    aversion: float = 0.0

    @cached_property
    def ranked_by(self) -> Factors:
        """The factors that score a list."""
        if self.disliked is None or self.aversion == 0.0:
            return self.liked
        return (self.liked - np.float32(self.aversion) * self.disliked).astype(np.float32)

    @cached_property
    def fold_in(self) -> FoldIn:
        """The solver against both faces, the liked one first."""
        faces = self.liked if self.disliked is None else np.vstack([self.liked, self.disliked])
        return FoldIn(faces, regularization=self.regularization, alpha=self.alpha)

    def faces(self, items: npt.NDArray[np.integer], preference: Floats) -> npt.NDArray[np.int64]:
        """The row of `fold_in` that stands for each opinion."""
        rows = items.astype(np.int64)
        return rows if self.disliked is None else rows + len(self.liked) * (preference < 0)


@dataclass(frozen=True, slots=True)
class Reason:
    """An item of the history and its share in the score of a listed item."""

    item: str
    contribution: float
    liked: bool


class FactorModel(Model):
    """Lists by folding a history in."""

    def __init__(
        self,
        items: ItemIndex,
        popularity: Scores,
        *,
        factors: ItemFactors,
        available: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(items, popularity, available=available)
        self.factors = factors
        top = float(popularity.max(initial=0.0))
        self._prior: Scores = np.sqrt(popularity / np.float32(top)) if top > 0 else popularity

    def scores(self, history: History) -> Scores | None:
        """Wanting by item, leaning on popularity as far as the history is small."""
        rows, strengths, _, _ = self._columns(history)
        vector = self.factors.fold_in.solve(rows, strengths)
        if not vector.any():
            return None
        lean = np.float32(PRIOR_WEIGHT / (PRIOR_WEIGHT + strengths.sum()))
        return self.factors.ranked_by @ vector.astype(np.float32) + lean * self._prior

    def batch_scores(self, histories: Histories, rows: slice) -> Scores:
        """Wanting, users x items; NaN for a history that holds nothing that counts."""
        start, stop = int(histories.indptr[rows.start]), int(histories.indptr[rows.stop])
        preference, weight = (column[start:stop] for column in histories.opinions)
        faces = self.factors.faces(histories.items[start:stop], preference)
        indptr = histories.indptr[rows.start : rows.stop + 1] - start
        vectors = self.factors.fold_in.solve_all(indptr, faces, weight)
        vectors[~vectors.any(axis=1)] = np.nan
        scores: Scores = vectors.astype(np.float32) @ self.factors.ranked_by.T
        cumulated = np.concatenate([[0.0], np.cumsum(weight)])[indptr]
        lean = (PRIOR_WEIGHT / (PRIOR_WEIGHT + np.diff(cumulated))).astype(np.float32)
        return scores + lean[:, None] * self._prior

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that speak most for it, the strongest first."""
        rows, strengths, places, preference = self._columns(history)
        known = [self.items.position(item) for item in items]
        targets = self.factors.ranked_by[[place or 0 for place in known]].astype(np.float64)
        added = self.factors.fold_in.contributions(rows, strengths, targets=targets)
        return tuple(
            tuple(
                Reason(self.items.ids[places[at]], float(row[at]), liked=bool(preference[at] >= 0))
                for at in top_positions(np.where(row > 0, row, -np.inf), reasons)
            )
            if place is not None
            else ()
            for place, row in zip(known, added, strict=True)
        )

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items whose liked face points the same way, by cosine; nothing for an unlearnt item."""
        place = self.items.position(item)
        if place is None or not self.factors.liked[place].any():
            return Ranking((), (), personal=False)
        scores = self._directions @ self._directions[place]
        scores = np.where(self.available & self._directions.any(axis=1), scores, np.float32(-np.inf))
        scores[place] = -np.inf
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        names = tuple(self.items.ids[at] for at in best)
        return Ranking(names, tuple(scores[best].tolist()), personal=False)

    @cached_property
    def _directions(self) -> Factors:
        length = np.linalg.norm(self.factors.liked, axis=1, keepdims=True)
        directions: Factors = np.divide(
            self.factors.liked, length, out=np.zeros_like(self.factors.liked), where=length > 0
        )
        return directions

    def _columns(self, history: History) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int32], Floats]:
        known = [(place, history.opinions[item]) for item in history.opinions
                 if (place := self.items.position(item)) is not None]  # fmt: skip
        places = np.fromiter((place for place, _ in known), dtype=np.int32, count=len(known))
        stated = (np.nan if opinion.explicit is None else opinion.explicit for _, opinion in known)
        explicit = np.fromiter(stated, dtype=np.float64, count=len(known))
        implicit = np.fromiter((opinion.implicit for _, opinion in known), dtype=np.float64, count=len(known))
        preference, weight = weighed(explicit, implicit)
        return self.factors.faces(places, preference), weight, places, preference
