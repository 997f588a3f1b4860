"""What is wanted lately and what is new, the same for everybody; the half-life is chosen inside the data of a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.hybrid.choosing_lately import chosen_half_life_days
from models.recommenders.hybrid.folds import sample_of, time_cuts
from models.recommenders.kernels.trending import log_wants, newness
from models.recommenders.popularity import HALF_LIFE_DAYS, PopularityModel
from models.recommenders.recommender import Recommender
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import preference_matrix

SAMPLE_INTERACTIONS = 200_000


@dataclass(frozen=True)
class Trending(Recommender):
    """Log of recent wants, plus a share of newness."""

    name = "trending"
    model = PopularityModel
    compared = False

    half_life_days: float = 0.0
    """0: chosen on cuts in time; 30 days where the log has no usable times."""
    newness: float = 0.0

    def fit(self, data: TrainingData) -> PopularityModel:
        """Count, and choose the half-life where none is stated."""
        matrix = preference_matrix(data.interactions, data.items)
        days = self.half_life_days
        if days <= 0:
            cuts = time_cuts(sample_of(matrix, SAMPLE_INTERACTIONS, seed=data.seed))
            days = chosen_half_life_days(cuts, seed=data.seed) if cuts else HALF_LIFE_DAYS
        scores = log_wants(matrix, days) + np.float32(self.newness) * newness(matrix)
        return PopularityModel(data.items, scores.astype(np.float32))
