"""How likely somebody who takes an item dislikes it: logistic regression on a few scores.

Learnt on rows that the scores have not seen. A list takes off `strength * logit`, so that of two items that are wanted
alike the one that disappoints less often comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.kernels.matrix import Doubles, Floats, Mask, PreferenceMatrix

PRIOR_ROWS = 10.0
"""An item's or person's own rate of dislikes counts as far as more rows than these speak."""
RIDGE = 1.0
NEWTON_STEPS = 25
LEAST_ROWS = 50
"""Of dislikes, and of others, below which nothing is learnt."""


@dataclass(frozen=True)
class DislikeModel:
    """Coefficients on raw features; all 0 where nothing was learnt."""

    coefficients: Doubles
    intercept: float

    @property
    def learnt(self) -> bool:
        """Whether there was enough to learn from."""
        return bool(self.coefficients.any())

    def logit(self, features: Floats) -> Floats:
        """Log odds of a dislike; features in the last axis."""
        logits: Floats = (features @ self.coefficients.astype(np.float32) + np.float32(self.intercept)).astype(
            np.float32
        )
        return logits


def fit_dislike(features: Floats, disliked: Mask) -> DislikeModel:
    """Fit by Newton's method with a small ridge on standardised features.

    Args:
        features: Rows x features; constant ones get no say.
        disliked: Of each row.
    """
    count = features.shape[1]
    if min(int(disliked.sum()), int((~disliked).sum())) < LEAST_ROWS:
        return DislikeModel(np.zeros(count), 0.0)
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    varied = deviation > 1e-9
    scale = np.where(varied, deviation, 1.0)
    rows = np.column_stack([(features - mean) / scale * varied, np.ones(len(features))])
    penalty = np.append(np.full(count, RIDGE), 1e-6)
    weights = np.zeros(count + 1)
    for _ in range(NEWTON_STEPS):
        likely = 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -30.0, 30.0)))
        slope = rows.T @ (likely - disliked) + penalty * weights
        curve = (rows * (likely * (1.0 - likely))[:, None]).T @ rows + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-6:
            break
    coefficients = weights[:-1] / scale * varied
    return DislikeModel(coefficients, float(weights[-1] - coefficients @ mean))


def rates(matrix: PreferenceMatrix) -> tuple[Floats, float]:
    """Log odds of a dislike by item, shrunk towards everybody's rate; and that rate."""
    disliked = matrix.preference < 0
    rate = float(np.clip(disliked.mean() if matrix.nnz else 0.0, 1e-3, 1.0 - 1e-3))
    return _shrunk(matrix.items, disliked, matrix.n_items, rate), rate


def rates_of_people(matrix: PreferenceMatrix, rate: float) -> Floats:
    """The same by person."""
    return _shrunk(matrix.users, matrix.preference < 0, len(matrix), rate)


def _shrunk(owners: np.ndarray, disliked: Mask, count: int, rate: float) -> Floats:
    bad = np.bincount(owners[disliked], minlength=count)
    share = (bad + PRIOR_ROWS * rate) / (np.bincount(owners, minlength=count) + PRIOR_ROWS)
    odds: Floats = np.log(share / (1.0 - share)).astype(np.float32)
    return odds
