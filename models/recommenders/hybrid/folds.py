"""Parts of a train set to choose on: rows left out at random for taste, cuts in time for what is wanted lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.kernels.matrix import Counts, Mask, PreferenceMatrix

HELD_SHARE = 0.15
"""Of the rows, left out in each fold: few, because sparser data would ask for other parameters."""
CUT_SHARES = (0.55, 0.65, 0.75, 0.85)
MOST_CELLS = 3_000_000
"""Scores of people x items that one fold is judged by: with ten thousand items three hundred people are enough."""
LEAST_AFTER_CUT = 20
"""Interactions after a cut, below which it says nothing."""


@dataclass(frozen=True)
class Fold:
    """What is learnt from, and what is judged by; the same people and items."""

    train: PreferenceMatrix
    held: PreferenceMatrix
    importance: float = 1.0


def sample_of(
    matrix: PreferenceMatrix, interactions: int, *, seed: int, most_people: int | None = None
) -> PreferenceMatrix:
    """Some people with all they did, about this many interactions, over the items that they touched."""
    most = len(matrix) if most_people is None else most_people
    if matrix.nnz <= interactions and len(matrix) <= most:
        return matrix
    order = np.random.default_rng(seed).permutation(len(matrix))
    count = int(np.searchsorted(np.cumsum(matrix.lengths[order]), interactions)) + 1
    people = np.sort(order[: min(count, most)])
    return compact(matrix.take(people))


def compact(matrix: PreferenceMatrix) -> PreferenceMatrix:
    """The same interactions over touched items only, renumbered in order."""
    touched, items = np.unique(matrix.items, return_inverse=True)
    columns = (matrix.preference, matrix.weight, matrix.at, matrix.wanted)
    return PreferenceMatrix(matrix.indptr, items.astype(np.int32), *columns, n_items=len(touched))


def row_folds(matrix: PreferenceMatrix, count: int, *, seed: int) -> list[Fold]:
    """Disjoint random rows, each left out once; none of less than a row."""
    place = np.random.default_rng(seed).permutation(matrix.nnz)
    size = int(matrix.nnz * HELD_SHARE)
    folds = [(place >= at * size) & (place < (at + 1) * size) for at in range(count)] if size else []
    return [Fold(matrix.where(~held), matrix.where(held)) for held in folds]


def time_cuts(matrix: PreferenceMatrix, shares: tuple[float, ...] = CUT_SHARES) -> list[Fold]:
    """What came up to a moment, and all that came after; later moments weigh more. None where times say nothing."""
    if not matrix.nnz or not np.isfinite(matrix.at).all():
        return []
    moments = np.sort(matrix.at)
    folds: list[Fold] = []
    for place, share in enumerate(shares):
        before = matrix.at <= moments[max(int(share * matrix.nnz) - 1, 0)]
        if min(int(before.sum()), int((~before).sum())) >= LEAST_AFTER_CUT:
            folds.append(Fold(matrix.where(before), matrix.where(~before), float(place + 1)))
    return folds


def judged_people(fold: Fold, most: int, *, seed: int, chosen: Mask | None = None) -> Counts:
    """At most this many of those who have something held out (and are `chosen`), drawn at random, in order.

    Fewer where the catalogue is large.
    """
    most = min(most, max(MOST_CELLS // max(fold.train.n_items, 1), 1))
    able = fold.held.lengths > 0
    people = np.flatnonzero(able if chosen is None else able & chosen)
    if len(people) > most:
        people = np.sort(np.random.default_rng(seed).choice(people, most, replace=False))
    return people


def cells(matrix: PreferenceMatrix) -> Mask:
    """People x items, True where somebody touched something."""
    touched = np.zeros((len(matrix), matrix.n_items), dtype=np.bool_)
    touched[matrix.users, matrix.items] = True
    return touched
