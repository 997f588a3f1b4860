"""A model of item factors: lists, reasons and similar items for any history, by folding it in.

A signed model has two factor vectors per item: positive ones fitted on likes, negative ones fitted on dislikes. Both
say what somebody cares about, so a user vector is solved against both; a list is ranked by the positive ones.
`aversion` would subtract a share of the negative ones; fits leave it at 0, because on every set tried it cost more
hits than it spared dislikes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.interaction_matrix import History, InteractionMatrix, ItemIndex, ItemPositions
from models.preferences import stance_of, weighed
from models.recommenders.foldin import FoldIn, UserVector
from models.recommenders.ranking import top_positions
from models.recommenders.recommender import Arrays, Config, Model, Ranking, Reason, Scores

PRIOR_WEIGHT = 5.0
"""Weight of a history at which popularity is added by one half; for a longer history by less."""
LEAST_LEAN = 0.1
"""Popularity is added by at least this share: it orders items whose factors give equal scores."""

Factors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ItemFactors:
    """What a fit gives: positive and negative factors (items x rank) and the objective they were fitted under."""

    positive: Factors
    negative: Factors | None
    """None in an unsigned model, to which every interaction is a wish."""
    regularization: float
    alpha: float
    aversion: float = 0.0

    @cached_property
    def ranked_by(self) -> Factors:
        """The factors that score a list."""
        if self.negative is None or self.aversion == 0.0:
            return self.positive
        return (self.positive - np.float32(self.aversion) * self.negative).astype(np.float32)

    @cached_property
    def fold_in(self) -> FoldIn:
        """The solver against all factors, the positive ones first."""
        rows = self.positive if self.negative is None else np.vstack([self.positive, self.negative])
        return FoldIn(rows, regularization=self.regularization, alpha=self.alpha)

    def rows(self, items: npt.NDArray[np.integer], preference: Floats) -> npt.NDArray[np.int64]:
        """The row of `fold_in` for each item preference: negative factors where it is a dislike."""
        rows = items.astype(np.int64)
        return rows if self.negative is None else rows + len(self.positive) * (preference < 0)


@dataclass(frozen=True, slots=True)
class _Taste:
    """The part of a history that the factors know, and the user vector that it gives."""

    positions: ItemPositions
    preference: Floats
    strengths: Floats
    user: UserVector | None
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
        self._prior = prior_of(popularity)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Popularity, and the factors that there are."""
        found = {**super().arrays(), "item_factors": self.factors.positive}
        if self.factors.negative is not None:
            found["item_disliked_factors"] = self.factors.negative
        return found

    def config(self) -> dict[str, Any]:
        """The objective that histories are folded in under."""
        factors = self.factors
        return {"regularization": factors.regularization, "alpha": factors.alpha, "aversion": factors.aversion}

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model with the stored factors."""
        negative = arrays.get("item_disliked_factors")
        factors = ItemFactors(
            positive=arrays["item_factors"],
            negative=negative,
            regularization=float(config["regularization"]),
            alpha=float(config["alpha"]),
            aversion=0.0 if negative is None else float(config.get("aversion", 0.0)),
        )
        return cls(items, arrays["popularity"], factors=factors, available=available)

    def scores(self, history: History) -> Scores | None:
        """Score of each item: its factors times the user vector, plus popularity, more of it for a short history."""
        taste = self._taste(history)
        if taste.user is None or not taste.user.vector.any():
            return None
        lean = lean_of(taste.strengths.sum())
        return self.factors.ranked_by @ taste.user.vector.astype(np.float32) + lean * self._prior

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The same for many, users x items; a row of NaN where the user vector is zero."""
        start, stop = int(histories.indptr[rows.start]), int(histories.indptr[rows.stop])
        preference, weight = (column[start:stop] for column in histories.preference_and_weight)
        factor_rows = self.factors.rows(histories.items[start:stop], preference)
        indptr = histories.indptr[rows.start : rows.stop + 1] - start
        vectors = self.factors.fold_in.solve_all(indptr, factor_rows, weight)
        vectors[~vectors.any(axis=1)] = np.nan
        scores: Scores = vectors.astype(np.float32) @ self.factors.ranked_by.T
        cumulated = np.concatenate([[0.0], np.cumsum(weight)])[indptr]
        scores += lean_of(np.diff(cumulated))[:, None] * self._prior
        return scores

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that speak most for it, the strongest first."""
        taste = self._taste(history)
        if taste.user is None:
            return tuple(() for _ in items)
        known = [self.items.position(item) for item in items]
        targets = self.factors.ranked_by[[position or 0 for position in known]].astype(np.float64)
        added = taste.user.contributions(targets)
        by_item: list[list[Reason]] = [[] for _ in items]
        for _ in range(min(reasons, added.shape[1])):
            strongest = added.argmax(axis=1)
            for row, at in enumerate(strongest.tolist()):
                amount = float(added[row, at])
                if known[row] is not None and amount > 0:
                    liked = bool(taste.preference[at] >= 0)
                    stance = stance_of(float(taste.explicit[at]), float(taste.implicit[at]))
                    by_item[row].append(Reason(self.items.ids[taste.positions[at]], amount, liked=liked, stance=stance))
            added[np.arange(len(added)), strongest] = -np.inf
        return tuple(tuple(found) for found in by_item)

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The available items whose positive factors point the same way, by cosine; nothing for an unlearnt item."""
        position = self.items.position(item)
        if position is None or not self.factors.positive[position].any():
            return Ranking((), (), personal=False)
        scores = self._directions @ self._directions[position]
        scores = np.where(self.available & self._directions.any(axis=1), scores, np.float32(-np.inf))
        scores[position] = -np.inf
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        names = tuple(self.items.ids[at] for at in best)
        return Ranking(names, tuple(scores[best].tolist()), personal=False)

    @cached_property
    def _directions(self) -> Factors:
        length = np.linalg.norm(self.factors.positive, axis=1, keepdims=True)
        directions: Factors = np.divide(
            self.factors.positive, length, out=np.zeros_like(self.factors.positive), where=length > 0
        )
        return directions

    def _taste(self, history: History) -> _Taste:
        """The user vector of a history, kept for the next call: a list and its reasons need the same one."""
        latest = self._latest
        if latest is not None and latest[0] is history:
            return latest[1]
        positions, explicit, implicit = history.columns(self.items)
        preference, weight = weighed(explicit, implicit)
        user = self.factors.fold_in.user_vector(self.factors.rows(positions, preference), weight)
        taste = _Taste(positions, preference, weight, user, explicit, implicit)
        self._latest = (history, taste)
        return taste


def lean_of(weights: Floats | np.float64) -> Factors:
    """The share by which popularity is added to a score, by the weight of the history."""
    return np.maximum(PRIOR_WEIGHT / (PRIOR_WEIGHT + weights), LEAST_LEAN).astype(np.float32)


def prior_of(popularity: Scores) -> Scores:
    """Square root of each item's share of the highest popularity; below 0 where an item is only disliked."""
    top = float(popularity.max(initial=0.0)) or float(np.abs(popularity).max(initial=0.0)) or 1.0
    share = np.clip(popularity / np.float32(top), -1.0, 1.0)
    prior: Scores = np.sign(share) * np.sqrt(np.abs(share))
    return prior
