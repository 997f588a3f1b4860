"""How well an item is liked by those who took it: shrunk, and fading with age."""

from __future__ import annotations

import numpy as np

from models.recommenders.kernels.matrix import Doubles, PreferenceMatrix
from models.recommenders.kernels.trending import ages_days

PRIOR_PEOPLE = 10.0
"""An item is judged by its own preferences as far as more people than these stated them."""


def quality(matrix: PreferenceMatrix, half_life_days: float) -> Doubles:
    """Mean preference by item from -1 to 1, weighted by clarity and age, shrunk towards everybody's mean."""
    weights = matrix.weight * np.exp2(-ages_days(matrix) / half_life_days)
    total = float(weights.sum())
    mean = float(weights @ matrix.preference) / total if total > 0 else 0.0
    liked = np.bincount(matrix.items, weights=weights * matrix.preference, minlength=matrix.n_items)
    by_item = np.bincount(matrix.items, weights=weights, minlength=matrix.n_items)
    means: Doubles = (liked + PRIOR_PEOPLE * mean) / (by_item + PRIOR_PEOPLE)
    return means
