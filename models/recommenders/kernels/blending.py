"""Weights of a blend by coordinate ascent on nDCG, averaged over bootstraps of the people they are learnt on.

Each bootstrap climbs from the same start on its own draw of people and is judged on those it did not draw, so that
the reported gain is not flattered by the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.recommenders.kernels.matrix import Counts, Doubles, Floats, Mask

STEPS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Weights that are tried for each part beside the first, whose weight is 1."""
LIST_LENGTH = 10
ROUNDS = 4
"""Passes over all parts; a climb ends earlier where a pass changes nothing."""
SHORTLIST = 200
"""Items per part and person that weights are tried on."""
FLAT = 1e-6
"""Deviation below which scores are alike."""


@dataclass(frozen=True)
class BlendRows:
    """What weights are learnt on: some people, every item they could be shown, and what they chose."""

    features: Floats
    """Scores by part: people x items x parts."""
    open: Mask
    """People x items: whether the item may be listed."""
    chosen: Mask
    """People x items: whether it was chosen later."""
    importance: float = 1.0
    """Of these rows against others."""
    relevant: Counts | None = None
    """How many items each person chose, where `chosen` does not hold all of them."""

    @property
    def counts(self) -> Counts:
        """Items chosen, by person."""
        counts: Counts = self.chosen.sum(axis=1) if self.relevant is None else self.relevant
        return counts


@dataclass(frozen=True, slots=True)
class Climb:
    """What the ascent found."""

    weights: Doubles
    gain: float
    """Mean nDCG above the start, of people outside each bootstrap."""
    error: float
    """Standard error of the gain."""
    people: int


@dataclass
class _Board:
    """nDCG by person for weights tried so far; bootstraps try many of the same."""

    rows: Sequence[BlendRows]
    known: dict[tuple[float, ...], Doubles] = field(default_factory=dict)

    def figures(self, weights: tuple[float, ...]) -> Doubles:
        found = self.known.get(weights)
        if found is None:
            parts = [ndcg_of_blend(row, np.asarray(weights)) for row in self.rows]
            found = self.known[weights] = np.concatenate(parts)
        return found


def climb(
    rows: Sequence[BlendRows],
    start: Sequence[float],
    *,
    seed: int,
    bootstraps: int = 8,
    steps: Sequence[float] = STEPS,
    least_gain: float = 0.0,
) -> Climb:
    """Climb from `start`, whose first weight stays as it is.

    Args:
        rows: What to learn on.
        start: Weights to start from, and to be better than.
        seed: Of the bootstraps.
        bootstraps: Draws of people.
        steps: Weights tried for each part.
        least_gain: nDCG that a step must gain to be taken.
    """
    board = _Board([row for row in rows if len(row.features)])
    first = tuple(float(weight) for weight in start)
    if not board.rows:
        return Climb(np.asarray(first), 0.0, 0.0, 0)
    base = board.figures(first)
    importance = np.concatenate([np.full(len(row.features), row.importance) for row in board.rows])
    rng = np.random.default_rng(seed)
    found: list[tuple[float, ...]] = []
    gained, counted = np.zeros(len(base)), np.zeros(len(base))
    for _ in range(bootstraps):
        drawn = np.bincount(rng.integers(0, len(base), len(base)), minlength=len(base))
        weights = _climbed(board, first, importance * drawn, steps, least_gain)
        found.append(weights)
        outside = drawn == 0
        gained[outside] += (board.figures(weights) - base)[outside]
        counted[outside] += 1
    judged = counted > 0
    gain, error = _mean(gained[judged] / counted[judged], importance[judged])
    return Climb(np.mean(found, axis=0), gain, error, len(base))


def ndcg_of_blend(row: BlendRows, weights: Doubles, *, k: int = LIST_LENGTH) -> Doubles:
    """nDCG@k of each person under weights; 0 for who chose nothing."""
    return ndcg_of_lists(best_of_blend(row, weights, k=k), row.chosen, row.counts)


def best_of_blend(row: BlendRows, weights: Doubles, *, k: int = LIST_LENGTH) -> Counts:
    """The k best open items of each person under weights; -1 where a list ends early."""
    k = min(k, row.open.shape[1])
    if not len(row.features):
        return np.empty((0, k), dtype=np.int64)
    scores = np.where(row.open, row.features @ weights.astype(np.float32), np.float32(-np.inf))
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    found = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    best = np.where(found > -np.inf, best, -1)
    lists: Counts = np.take_along_axis(best, order, axis=1)
    return lists


def ndcg_of_lists(lists: Counts, chosen: Mask, counts: Counts) -> Doubles:
    """nDCG of each person's list; 0 for who chose nothing.

    Args:
        lists: People x k columns of `chosen`, -1 where a list ends early.
        chosen: People x items.
        counts: How many items each person chose, listable or not.
    """
    k = lists.shape[1]
    hits = chosen[np.arange(len(lists))[:, None], lists] & (lists >= 0)
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(counts, k)]
    gains: Doubles = np.divide(hits @ discount, ideal, out=np.zeros(len(lists)), where=ideal > 0)
    return gains


def _climbed(
    board: _Board, start: tuple[float, ...], share: Doubles, steps: Sequence[float], least_gain: float
) -> tuple[float, ...]:
    total = float(share.sum()) or 1.0
    best, height = start, float(share @ board.figures(start)) / total
    for _ in range(ROUNDS):
        before = best
        for part in range(1, len(start)):
            for step in steps:
                tried = (*best[:part], float(step), *best[part + 1 :])
                level = float(share @ board.figures(tried)) / total
                if level > height + least_gain:
                    best, height = tried, level
        if best == before:
            break
    return best


def _mean(values: Doubles, weights: Doubles) -> tuple[float, float]:
    total = float(weights.sum())
    if not total:
        return 0.0, 0.0
    mean = float(weights @ values) / total
    return mean, float(np.sqrt(weights**2 @ (values - mean) ** 2)) / total


def shortlisted(row: BlendRows, per_part: int = SHORTLIST) -> BlendRows:
    """The same with each person's best items by any part alone, which are those that a blend can list.

    Trying a hundred weights on a catalogue of ten thousand items would take minutes.
    """
    people, items, parts = row.features.shape
    if not people or items <= parts * per_part:
        return row
    masked = np.where(row.open[..., None], row.features, np.float32(-np.inf))
    best = [np.argpartition(-masked[..., part], per_part - 1, axis=1)[:, :per_part] for part in range(parts)]
    columns = np.sort(np.concatenate(best, axis=1), axis=1)
    again = np.zeros(columns.shape, dtype=np.bool_)
    again[:, 1:] = columns[:, 1:] == columns[:, :-1]
    return BlendRows(
        np.take_along_axis(row.features, columns[..., None], axis=1),
        np.take_along_axis(row.open, columns, axis=1) & ~again,
        np.take_along_axis(row.chosen, columns, axis=1) & ~again,
        row.importance,
        row.counts,
    )


def standardised(scores: Floats, *, axis: int = -1) -> Floats:
    """Scores with mean 0 and deviation 1 over the items; 0 where all are alike."""
    centred = scores - scores.mean(axis=axis, keepdims=True)
    deviation = centred.std(axis=axis, keepdims=True)
    standard: Floats = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > FLAT)
    return standard
