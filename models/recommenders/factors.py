"""A model of item factors: lists, reasons and similar items for any history, by folding it in.

A signed model knows two faces of each item, the one that people like and the one that they dislike. Both say what
somebody cares about, so both place them; a list is ranked by the liked face. `aversion` would take off a share of the
disliked one; fits leave it at 0, because on every set tried it cost more hits than it spared dislikes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import Stance, stance_of, weighed
from models.recommenders.foldin import FoldIn, UserVector
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Model, Ranking, Scores

PRIOR_WEIGHT = 5.0
"""A history of this weight trusts its factors and what is popular alike; a longer one trusts its factors more."""
LEAST_LEAN = 0.1
"""However long a history is, what is popular decides between items that its factors hold to be alike."""

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
    """Whether it speaks for liking rather than against."""
    stance: Stance = Stance.TOUCHED
    """What the person may be told of it."""


@dataclass(frozen=True, slots=True)
class _Taste:
    """What of a history the factors know, and where that places somebody."""

    places: npt.NDArray[np.int32]
    preference: Floats
    strengths: Floats
    placed: UserVector | None
    explicit: Floats
    implicit: Floats


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
        self._latest: tuple[History, _Taste] | None = None
        self._prior = _prior_of(popularity)

    def scores(self, history: History) -> Scores | None:
        """Wanting by item, leaning on popularity as far as the history is small."""
        taste = self._taste(history)
        if taste.placed is None or not taste.placed.vector.any():
            return None
        lean = lean_of(taste.strengths.sum())
        return self.factors.ranked_by @ taste.placed.vector.astype(np.float32) + lean * self._prior

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """Wanting, users x items; NaN for a history that holds nothing that counts."""
        start, stop = int(histories.indptr[rows.start]), int(histories.indptr[rows.stop])
        preference, weight = (column[start:stop] for column in histories.opinions)
        faces = self.factors.faces(histories.items[start:stop], preference)
        indptr = histories.indptr[rows.start : rows.stop + 1] - start
        vectors = self.factors.fold_in.solve_all(indptr, faces, weight)
        vectors[~vectors.any(axis=1)] = np.nan
        scores: Scores = vectors.astype(np.float32) @ self.factors.ranked_by.T
        cumulated = np.concatenate([[0.0], np.cumsum(weight)])[indptr]
        return scores + lean_of(np.diff(cumulated))[:, None] * self._prior

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that speak most for it, the strongest first."""
        taste = self._taste(history)
        if taste.placed is None:
            return tuple(() for _ in items)
        known = [self.items.position(item) for item in items]
        targets = self.factors.ranked_by[[place or 0 for place in known]].astype(np.float64)
        added = taste.placed.contributions(targets)
        spoken: list[list[Reason]] = [[] for _ in items]
        for _ in range(min(reasons, added.shape[1])):
            strongest = added.argmax(axis=1)
            for row, at in enumerate(strongest.tolist()):
                amount = float(added[row, at])
                if known[row] is not None and amount > 0:
                    liked = bool(taste.preference[at] >= 0)
                    stance = stance_of(float(taste.explicit[at]), float(taste.implicit[at]))
                    spoken[row].append(Reason(self.items.ids[taste.places[at]], amount, liked=liked, stance=stance))
            added[np.arange(len(added)), strongest] = -np.inf
        return tuple(tuple(found) for found in spoken)

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

    def _taste(self, history: History) -> _Taste:
        """A history as the factors see it; a list and its reasons ask for the same one after another."""
        latest = self._latest
        if latest is not None and latest[0] is history:
            return latest[1]
        places, explicit, implicit = history.columns(self.items)
        preference, weight = weighed(explicit, implicit)
        placed = self.factors.fold_in.place(self.factors.faces(places, preference), weight)
        taste = _Taste(places, preference, weight, placed, explicit, implicit)
        self._latest = (history, taste)
        return taste


def lean_of(weights: Floats | np.float64) -> Factors:
    """How much histories of these weights lean on what is popular."""
    return np.maximum(PRIOR_WEIGHT / (PRIOR_WEIGHT + weights), LEAST_LEAN).astype(np.float32)


def _prior_of(popularity: Scores) -> Scores:
    """Popularity from 1 for the most wanted item; below 0 for what is only disliked."""
    top = float(popularity.max(initial=0.0)) or float(np.abs(popularity).max(initial=0.0)) or 1.0
    share = np.clip(popularity / np.float32(top), -1.0, 1.0)
    prior: Scores = np.sign(share) * np.sqrt(np.abs(share))
    return prior
