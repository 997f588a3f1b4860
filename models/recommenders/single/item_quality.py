"""What is liked best by those who took it, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.kernels.quality import quality
from models.recommenders.popularity import PopularityModel
from models.recommenders.recommender import Recommender
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import preference_matrix


@dataclass(frozen=True)
class ItemQuality(Recommender):
    """Shrunk mean preference, fading with age."""

    name = "item_quality"
    model = PopularityModel
    compared = False

    half_life_days: float = 365.0

    def fit(self, data: TrainingData) -> PopularityModel:
        """Average."""
        matrix = preference_matrix(data.interactions, data.items)
        return PopularityModel(data.items, quality(matrix, self.half_life_days).astype(np.float32))
