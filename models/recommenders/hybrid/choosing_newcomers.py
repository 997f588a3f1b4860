"""How well people with one to a few items are served, seen on people kept out of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.recommenders.hybrid.folds import cells
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.parts import fit_parts
from models.recommenders.hybrid.scoring import PartScores
from models.recommenders.kernels.blending import BlendRows, ndcg_of_blend
from models.recommenders.kernels.matrix import PreferenceMatrix

KEPT_OUT_SHARE = 0.2
LENGTHS = (1, 3, 5)
MOST_PEOPLE = 400
HELD_SHARE = 0.25


@dataclass(frozen=True)
class NewcomerChoice:
    """Figures of newcomers' lists."""

    ndcg: float
    """Mean over the lengths."""
    popular_ndcg: float
    by_events: Mapping[int, float]
    people: int


def judge_newcomers(
    matrix: PreferenceMatrix, parameters: HybridParameters, *, seed: int, lengths: Sequence[int] = LENGTHS
) -> NewcomerChoice:
    """Keep a fifth of the people out, show a few items of each, and look for a quarter of the others in their lists.

    The items between, neither shown nor looked for, are left out of the lists, so that figures compare with those
    of known people.
    """
    rng = np.random.default_rng(seed)
    able = rng.permutation(np.flatnonzero(matrix.lengths >= 2))
    cold = np.sort(able[: min(int(KEPT_OUT_SHARE * len(able)), MOST_PEOPLE)])
    if not len(cold):
        return NewcomerChoice(0.0, 0.0, {}, 0)
    warm = np.setdiff1d(np.arange(len(matrix)), cold)
    train, theirs = matrix.take(warm), matrix.take(cold)
    place = shuffled_places(theirs, rng)
    held = np.maximum((HELD_SHARE * theirs.lengths).astype(np.int64), 1)
    from_end = np.repeat(theirs.lengths, theirs.lengths) - place
    is_held = from_end <= np.repeat(held, theirs.lengths)
    opened, chosen = ~cells(theirs.where(~is_held)), cells(theirs.where(is_held))
    parts = fit_parts(train, parameters, seed=seed, only=("people",))
    popular = np.bincount(train.items, minlength=train.n_items).astype(np.float32)
    by_events = {
        shown: float(
            ndcg_of_blend(
                BlendRows(_scores(parts, theirs.where(~is_held & (place < shown))), opened, chosen), np.ones(1)
            ).mean()
        )
        for shown in lengths
    }
    base = BlendRows(np.broadcast_to(popular, opened.shape)[..., None], opened, chosen)
    popular_ndcg = float(ndcg_of_blend(base, np.ones(1)).mean())
    return NewcomerChoice(float(np.mean(list(by_events.values()))), popular_ndcg, by_events, len(cold))


def _scores(parts: object, shown: PreferenceMatrix) -> np.ndarray:
    scores: np.ndarray = PartScores(parts, shown).taste_of_newcomers()  # type: ignore[arg-type]
    return scores[..., None]


def shuffled_places(matrix: PreferenceMatrix, rng: np.random.Generator) -> np.ndarray:
    """A random place of each interaction among those of its person."""
    order = np.lexsort((rng.random(matrix.nnz), matrix.users))
    places = np.empty(matrix.nnz, dtype=np.int64)
    places[order] = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], matrix.lengths)
    return places
