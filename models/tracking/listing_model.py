"""The model that MLflow keeps, as code: takes a history, gives a list.

MLflow runs this file to load the model, so it imports MLflow and nothing else imports it. The registry holds no
person's history: the caller brings one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from models.bundle.bundle import Bundle, load_bundle
from models.interaction_matrix import History
from models.preferences import ItemPreference

LIST_LENGTH = 10


class ListingModel(mlflow.pyfunc.PythonModel):
    """Lists from the arrays of a bundle."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own, by this very name
        """Read the bundle that was logged with the model."""
        self.bundle: Bundle = load_bundle(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ANN401
        """For each row of `items` and `preferences` (-1 to 1), the best `n` other items and their scores."""
        del context
        n = int((params or {}).get("n", LIST_LENGTH))
        rankings = []
        for items, preferences in zip(model_input["items"], model_input["preferences"], strict=True):
            history = {item: ItemPreference(explicit=value) for item, value in zip(items, preferences, strict=True)}
            rankings.append(self.bundle.recommend(History(history), n))
        return pd.DataFrame(
            {
                "items": [list(ranking.items) for ranking in rankings],
                "scores": [list(ranking.scores) for ranking in rankings],
            }
        )


mlflow.models.set_model(ListingModel())
