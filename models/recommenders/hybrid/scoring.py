"""Scores of the hybrid for any histories, by the same code in serving and in evaluation.

A history is folded in: nobody needs to have been there when the parts were fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from models.recommenders.hybrid.parts import HybridParts
from models.recommenders.kernels.blending import standardised
from models.recommenders.kernels.dislike import rates_of_people
from models.recommenders.kernels.matrix import Counts, Floats, PreferenceMatrix
from models.recommenders.kernels.user_neighbours import neighbour_shares

NEIGHBOUR_PRIOR = 0.2
"""How much similarity everybody's share counts for among similar people."""
NEWCOMER_DISLIKE = 0.1
"""Share of the dislike term that newcomers get: a few events say little about what somebody dislikes."""
LEAST_SHARE = 1e-4
"""Shares below this are alike."""


@dataclass(frozen=True)
class PartScores:
    """Scores by part for some histories: people x items each, made when they are first asked for."""

    parts: HybridParts
    histories: PreferenceMatrix

    @cached_property
    def factors(self) -> Floats:
        """Mean over the factorisations, standardised."""
        history = self.histories
        total = np.zeros((len(history), self.parts.n_items), dtype=np.float32)
        for solver, parameters in zip(self.parts.solvers, self.parts.parameters.factorisations, strict=True):
            turned = solver.place(history.indptr, history.items, history.stars, parameters)
            total += standardised(turned @ solver.factors.T)
        return standardised(total)

    @cached_property
    def ease(self) -> Floats:
        """What the neighbourhood says, standardised."""
        return standardised(self._propagated(np.ones(self.histories.nnz, dtype=np.float32)))

    @cached_property
    def neighbours(self) -> Floats:
        """Log share of similar people who chose each item."""
        parts, queries = self.parts, self.histories.binary
        shares = neighbour_shares(
            queries, parts.people, parts.shares, prior_weight=NEIGHBOUR_PRIOR, by_item=parts.people_by_item
        )
        logs: Floats = np.log(shares + np.float32(LEAST_SHARE))
        return logs

    @property
    def dislike_features(self) -> Floats:
        """What the dislike model reads: people x items x features."""
        shape = (len(self.histories), self.parts.n_items)
        stacked: Floats = np.stack([np.broadcast_to(part, shape) for part in self._dislike_parts()], axis=-1)
        return stacked

    def _dislike_parts(self) -> Iterator[Floats]:
        """Each feature as people x items, or what broadcasts to it."""
        history, parts = self.histories, self.parts
        yield parts.dislike_rates
        yield rates_of_people(history, parts.dislike_rate)[:, None]
        yield parts.explicit.predict(*parts.explicit.fold_in(history.indptr, history.items, history.preference))
        yield self.factors
        yield self.ease
        yield self._propagated(_against_own_mean(history))

    @cached_property
    def dislike(self) -> Floats:
        """Log odds of a dislike, standardised, so that its weight means the same for short and long histories."""
        coefficients = self.parts.parameters.dislike_model.coefficients.astype(np.float32)
        total = np.zeros((len(self.histories), self.parts.n_items), dtype=np.float32)
        for coefficient, part in zip(coefficients, self._dislike_parts(), strict=True):
            total += coefficient * part
        return standardised(total)

    def taste(self) -> Floats:
        """What these people want, whenever; similar people for newcomers, all parts for those with a longer history."""
        return self._taste.copy()

    @cached_property
    def _taste(self) -> Floats:
        parameters = self.parts.parameters
        share = np.float32(1.0 / (1.0 + parameters.taste_ease))
        scores = share * self.factors + (1 - share) * self.ease
        newcomers = self.newcomers
        if newcomers.any():
            scores[newcomers] = self._for(newcomers).taste_of_newcomers()
        if parameters.dislike > 0 and self.parts.parameters.dislike_model.learnt:
            scores = scores - self.dislike_strength[:, None] * self.dislike
        return scores

    @cached_property
    def dislike_strength(self) -> Floats:
        """By person, what the log odds of a dislike take off."""
        share = np.where(self.newcomers, NEWCOMER_DISLIKE, 1.0)
        strengths: Floats = (share * self.parts.parameters.dislike).astype(np.float32)
        return strengths

    def taste_of_newcomers(self) -> Floats:
        """What people with a similar short history chose."""
        return standardised_neighbours(self)

    def lately(self) -> Floats:
        """What is wanted lately, and by whom is like these people where that earns its place."""
        scores = np.empty((len(self.histories), self.parts.n_items), dtype=np.float32)
        for newcomer in (True, False):
            rows = self.newcomers if newcomer else ~self.newcomers
            weights = self.parts.parameters.lately(newcomer=newcomer)
            if rows.any():
                some = self if rows.all() else self._for(rows)
                scores[rows] = some.blended(weights)
        scores[self.histories.lengths == 0] = self.parts.log_wants
        return scores

    def for_slots(self) -> Floats:
        """What is wanted lately among what these people may like."""
        scores = self.lately()
        some = self.histories.lengths > 0
        if self.parts.parameters.slot_taste and some.any():
            scores[some] += np.float32(self.parts.parameters.slot_taste) * self.taste()[some]
        return scores

    def blended(self, weights: tuple[float, ...]) -> Floats:
        """Log wants, newness, factors, neighbourhood and similar people; a part of weight 0 is not computed."""
        shape = (len(self.histories), self.parts.n_items)
        wants, new, factors, ease, neighbours = (np.float32(weight) for weight in weights)
        scores = np.broadcast_to(wants * self.parts.log_wants + new * self.parts.newness, shape).astype(np.float32)
        if factors:
            scores = scores + factors * self.factors
        if ease:
            scores = scores + ease * self.ease
        if neighbours:
            scores = scores + neighbours * standardised_neighbours(self)
        return scores

    @cached_property
    def newcomers(self) -> np.ndarray:
        """Who has a few items only; nobody without any."""
        lengths = self.histories.lengths
        few: np.ndarray = (lengths > 0) & (lengths <= self.parts.parameters.newcomer_events)
        return few

    def _for(self, rows: np.ndarray) -> PartScores:
        return PartScores(self.parts, self.histories.take(np.flatnonzero(rows)))

    def _propagated(self, values: Floats) -> Floats:
        """Values of a history carried to other items by the neighbourhood."""
        carried = self.histories.csr(values) @ self.parts.ease_by_source
        dense: Floats = np.asarray(carried.toarray() if sparse.issparse(carried) else carried, dtype=np.float32)
        return dense


def _against_own_mean(history: PreferenceMatrix) -> Floats:
    sums = np.bincount(history.users, weights=history.preference, minlength=len(history))
    mean = sums / np.maximum(history.lengths, 1)
    rest: Floats = (history.preference - mean[history.users]).astype(np.float32)
    return rest


def standardised_neighbours(scores: PartScores) -> Floats:
    """What similar people chose, comparable with the other parts."""
    return standardised(scores.neighbours)


def places_of(scores: Floats, histories: PreferenceMatrix, n: int) -> Counts:
    """The n best unseen items of each row, best first; -1 where a list ends early."""
    scores = scores.copy()
    scores[histories.users, histories.items] = -np.inf
    n_best = min(n, scores.shape[1])
    best = np.argpartition(-scores, n_best - 1, axis=1)[:, :n_best]
    order = np.lexsort((best, -np.take_along_axis(scores, best, axis=1)), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    lists = np.full((len(scores), n), -1, dtype=np.int64)
    lists[:, :n_best] = np.where(np.take_along_axis(scores, best, axis=1) > -np.inf, best, -1)
    return lists
