"""The composed hybrid on arrays: lists for histories, whatever their length, and the parts of each score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.recommenders.hybrid.parts import HybridParts
from models.recommenders.hybrid.scoring import PartScores, places_of
from models.recommenders.hybrid.slots import PER, composed, slots_of
from models.recommenders.kernels.matrix import Counts, Floats, Mask, PreferenceMatrix

CELLS_PER_BLOCK = 1 << 22
"""Scores made at once, for as many people as that is: bounds memory to about ten arrays of 16 MiB."""


@dataclass(frozen=True)
class HybridLists:
    """Fitted parts that list items for histories."""

    parts: HybridParts
    available: Mask | None = None
    """Items that may be listed; None: all."""

    def lists(self, histories: PreferenceMatrix, n: int) -> Counts:
        """What is served: people x n positions of items, best first, -1 where a list ends early."""
        return _stacked([self.served(PartScores(self.parts, block), n) for block in _blocks(histories)], n)

    def taste_lists(self, histories: PreferenceMatrix, n: int) -> Counts:
        """The lists without slots for what is wanted lately."""
        return self._listed(histories, n, PartScores.taste)

    def lately_lists(self, histories: PreferenceMatrix, n: int) -> Counts:
        """The lists of what is wanted lately alone."""
        return self._listed(histories, n, PartScores.lately)

    def slots(self, histories: PreferenceMatrix, n: int) -> Counts:
        """Per person, how many of n places go to what is wanted lately; all for who has no history."""
        parameters = self.parts.parameters
        few = histories.lengths <= parameters.newcomer_events
        tenths = np.where(few, parameters.newcomer_slots, parameters.known_slots)
        tenths[histories.lengths == 0] = PER
        return np.array([slots_of(n, int(share)) for share in tenths], dtype=np.int64)

    def part_scores(self, history: PreferenceMatrix, items: Counts) -> dict[str, Floats]:
        """How much each part adds to the taste score of some items, by part; the columns sum to the score."""
        scores, parameters = PartScores(self.parts, history), self.parts.parameters
        if scores.newcomers.any():
            added = {"similar people": scores.taste_of_newcomers()[0, items]}
        else:
            share = 1.0 / (1.0 + parameters.taste_ease)
            added = {"factors": share * scores.factors[0, items], "ease": (1 - share) * scores.ease[0, items]}
        if parameters.dislike > 0 and self.parts.parameters.dislike_model.learnt:
            added["dislike"] = -scores.dislike_strength[0] * scores.dislike[0, items]
        return {name: value.astype(np.float32) for name, value in added.items()}

    def served(self, scores: PartScores, n: int) -> Counts:
        """What is served to the people of some scores, who share what was computed for them."""
        slots = self.slots(scores.histories, n)
        lately = np.full((len(slots), n), -1, dtype=np.int64)
        taste = lately.copy()
        for rows in (np.flatnonzero(slots == n), np.flatnonzero(slots < n)):
            if not len(rows):
                continue
            some = scores if len(rows) == len(slots) else PartScores(self.parts, scores.histories.take(rows))
            if slots[rows[0]] == n:
                lately[rows] = places_of(self._masked(some.lately()), some.histories, n)
                continue
            taste[rows] = places_of(self._masked(some.taste()), some.histories, n)
            if slots[rows].any():
                lately[rows] = places_of(self._masked(some.for_slots()), some.histories, n)
        return composed(taste, lately, slots)

    def _listed(self, histories: PreferenceMatrix, n: int, score: Callable[[PartScores], Floats]) -> Counts:
        found = [
            places_of(self._masked(score(PartScores(self.parts, block))), block, n) for block in _blocks(histories)
        ]
        return _stacked(found, n)

    def _masked(self, scores: Floats) -> Floats:
        if self.available is None:
            return scores
        masked: Floats = np.where(self.available, scores, np.float32(-np.inf))
        return masked


def _blocks(histories: PreferenceMatrix) -> Iterator[PreferenceMatrix]:
    people = max(CELLS_PER_BLOCK // max(histories.n_items, 1), 1)
    for start in range(0, len(histories), people):
        yield histories.take(np.arange(start, min(start + people, len(histories))))


def _stacked(lists: list[Counts], n: int) -> Counts:
    return np.concatenate(lists) if lists else np.empty((0, n), dtype=np.int64)
