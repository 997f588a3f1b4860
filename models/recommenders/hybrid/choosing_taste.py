"""Choose what makes the taste list, on rows left out of train at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.recommenders.hybrid.folds import Fold, cells, judged_people
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.parts import fit_parts
from models.recommenders.hybrid.scoring import PartScores
from models.recommenders.kernels.blending import (
    BlendRows,
    best_of_blend,
    climb,
    ndcg_of_blend,
    ndcg_of_lists,
    standardised,
)
from models.recommenders.kernels.dislike import DislikeModel, fit_dislike
from models.recommenders.kernels.matrix import Floats, Mask, PreferenceMatrix

REGULARIZATIONS = (0.16, 0.4, 1.0)
"""Of the factorisations; people with two items each need much more than people with a hundred."""
EASE_REGULARIZATIONS = (50.0, 200.0, 600.0)
EASE_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.0)
DISLIKE_STRENGTHS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
SPARED_DISLIKES = 0.235
"""Share of disliked items that lists should spare people on held rows; on later ones it is a little more."""
DISLIKE_COST = 0.02
"""Share of nDCG that this may cost."""
LEAST_GAIN = 1e-3
"""nDCG that another weight must gain: the optimum is flat, and a few held rows per person are noisy."""
MOST_PEOPLE = 600
"""Judged in each fold."""
TRIAL_RANK = "32"
"""Of fits that look at one parameter."""
TRIAL_RANKS = "32,48"
"""Of fits that weigh the factorisations, which the published fit averages over several, against other parts."""


@dataclass(frozen=True)
class TasteChoice:
    """What was chosen, and what it reached on rows left out."""

    parameters: HybridParameters
    ndcg: float
    """Of the taste list, of people with a longer history."""
    popular_ndcg: float
    people: int


@dataclass(frozen=True)
class _Rows:
    """One fold, scored."""

    blend: BlendRows
    popular: Floats
    features: Floats
    """What the dislike model reads, people x items x features."""
    disliked: Mask


def choose_taste(folds: Sequence[Fold], start: HybridParameters, *, seed: int) -> TasteChoice:
    """Regularisation on the first fold, the neighbourhood's weight and the dislikes' on all.

    Args:
        folds: Of the sample; without any, `start` stays as it is.
        start: What is not chosen here.
        seed: Of fits and samples.
    """
    trial = replace(start, ranks=TRIAL_RANK)
    if not folds:
        return TasteChoice(start, 0.0, 0.0, 0)
    trial = _regularised(folds[0], trial, seed=seed)
    trial = replace(trial, ranks=TRIAL_RANKS)
    rows = [found for at, fold in enumerate(folds) if (found := _scored(fold, trial, seed=seed + at)) is not None]
    if not rows:
        return TasteChoice(start, 0.0, 0.0, 0)
    weights = climb(
        [row.blend for row in rows], (1.0, start.taste_ease), seed=seed, steps=EASE_WEIGHTS, least_gain=LEAST_GAIN
    ).weights
    dislike = _dislikes(rows)
    weights = weights / weights.sum()
    strength, ndcg = _strength(rows, weights, dislike)
    popular = np.concatenate([ndcg_of_blend(_popular(row), np.ones(1)) for row in rows])
    chosen = replace(
        start,
        regularization=trial.regularization,
        ease_regularization=trial.ease_regularization,
        taste_ease=float(weights[1] / weights[0]),
    ).with_dislikes(dislike, strength)
    return TasteChoice(chosen, ndcg, float(popular.mean()), len(popular))


def _regularised(fold: Fold, trial: HybridParameters, *, seed: int) -> HybridParameters:
    """The regularisations that are best alone; a harder one is tried as long as it gains."""
    best, height = trial, -1.0
    for value in REGULARIZATIONS:
        tried = replace(trial, regularization=value)
        level = _alone(fold, tried, "factors", seed=seed)
        if level <= height:
            break
        best, height = tried, level
    trial, height = best, -1.0
    for value in EASE_REGULARIZATIONS:
        tried = replace(trial, ease_regularization=value)
        level = _alone(fold, tried, "ease", seed=seed)
        if level <= height:
            break
        best, height = tried, level
    return best


def _alone(fold: Fold, trial: HybridParameters, part: str, *, seed: int) -> float:
    people = _known(fold, trial, seed=seed)
    if not len(people):
        return 0.0
    # the part that is not asked for is not fitted
    parts = fit_parts(fold.train, trial, seed=seed, only=(part,))
    histories = fold.train.take(people)
    scores: Floats = getattr(PartScores(parts, histories), part)
    rows = BlendRows(scores[..., None], ~cells(histories), cells(fold.held.take(people)))
    return float(ndcg_of_blend(rows, np.ones(1)).mean())


def _known(fold: Fold, trial: HybridParameters, *, seed: int) -> np.ndarray:
    longer = fold.train.lengths > trial.newcomer_events
    people = judged_people(fold, MOST_PEOPLE, seed=seed, chosen=longer)
    # where nearly everybody is a newcomer, parameters are chosen on those with any history
    return people if len(people) else judged_people(fold, MOST_PEOPLE, seed=seed, chosen=fold.train.lengths > 0)


def _scored(fold: Fold, trial: HybridParameters, *, seed: int) -> _Rows | None:
    people = _known(fold, trial, seed=seed)
    if not len(people):
        return None
    parts = fit_parts(fold.train, trial, seed=seed)
    histories, held = fold.train.take(people), fold.held.take(people)
    scores = PartScores(parts, histories)
    features = np.stack([scores.factors, scores.ease], axis=-1)
    blend = BlendRows(features, ~cells(histories), cells(held))
    popular = np.bincount(fold.train.items, minlength=fold.train.n_items).astype(np.float32)
    return _Rows(blend, popular, scores.dislike_features, _disliked(held))


def _disliked(held: PreferenceMatrix) -> Mask:
    return cells(held.where(held.preference < 0))


def _dislikes(rows: Sequence[_Rows]) -> DislikeModel:
    features = np.concatenate([row.features[row.blend.chosen] for row in rows])
    disliked = np.concatenate([row.disliked[row.blend.chosen] for row in rows])
    return fit_dislike(features, disliked)


def _strength(rows: Sequence[_Rows], weights: np.ndarray, dislike: DislikeModel) -> tuple[float, float]:
    """The least strength that spares the wanted share of dislikes and costs little, and the nDCG with it."""
    strengths = DISLIKE_STRENGTHS if dislike.learnt else DISLIKE_STRENGTHS[:1]
    found = np.array([_judged(rows, weights, dislike, strength) for strength in strengths])
    ndcg, disliked = found.T
    spared = 1.0 - disliked / disliked[0] if disliked[0] > 0 else np.zeros(len(found))
    affordable = np.flatnonzero(ndcg >= (1.0 - DISLIKE_COST) * ndcg.max())
    enough = affordable[spared[affordable] >= SPARED_DISLIKES]
    at = int(enough[0]) if len(enough) else int(affordable[np.argmax(spared[affordable])])
    return strengths[at], float(ndcg[at])


def _judged(rows: Sequence[_Rows], weights: np.ndarray, dislike: DislikeModel, strength: float) -> tuple[float, float]:
    """nDCG and the share of slots spent on dislikes, over all rows."""
    ndcg, disliked = [], []
    for row in rows:
        taste = row.blend.features @ weights.astype(np.float32)
        both = replace(row.blend, features=np.stack([taste, standardised(dislike.logit(row.features))], axis=-1))
        lists = best_of_blend(both, np.array([1.0, -strength]))
        ndcg.append(ndcg_of_lists(lists, row.blend.chosen, row.blend.counts))
        disliked.append((row.disliked[np.arange(len(lists))[:, None], lists] & (lists >= 0)).mean(axis=1))
    return float(np.concatenate(ndcg).mean()), float(np.concatenate(disliked).mean())


def _popular(row: _Rows) -> BlendRows:
    return replace(row.blend, features=np.broadcast_to(row.popular, row.blend.open.shape)[..., None])
