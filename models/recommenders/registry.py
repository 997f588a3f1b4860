"""Every recommender by name: evaluation compares them, bundles store and load what they fitted.

One more is a file with a `Recommender` and its `Model`, and a line here. Modules are imported when a name is asked
for, so that serving loads the code of the model that it serves and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback.errors import LearningError
from models.interaction_matrix import ItemIndex
from models.recommenders.recommender import Arrays, Config, Model, Recommender

RECOMMENDERS: dict[str, str] = {
    "popularity": "models.recommenders.popularity:Popularity",
    "decayed_popularity": "models.recommenders.popularity:DecayedPopularity",
    "unsigned_als": "models.recommenders.als:UnsignedAls",
    "signed_als": "models.recommenders.als:SignedAls",
    "item_neighbours": "models.recommenders.item_neighbours:ItemNeighbours",
    "trending": "models.recommenders.single.trending:Trending",
    "item_quality": "models.recommenders.single.item_quality:ItemQuality",
    "user_neighbours": "models.recommenders.single.user_neighbours:UserNeighbours",
    "content": "models.recommenders.single.content:Content",
    "co_visitation": "models.recommenders.single.co_visitation:CoVisitation",
    "hybrid": "models.recommenders.hybrid.recommender:Hybrid",
}
"""Module and class by name, in the order of tables and plots."""

CHALLENGER = "signed_als"
"""What is meant to serve: the gate judges it. Its unsigned twin is the comparison."""
STOPGAP = "decayed_popularity"
"""What a challenger has to beat, and what serves until one does."""


def recommender_class(name: str) -> type[Recommender]:
    """The class of a registered recommender.

    Raises:
        LearningError: No recommender has this name.
    """
    if name not in RECOMMENDERS:
        raise LearningError(f"no recommender is called {name!r}; there are: {', '.join(sorted(RECOMMENDERS))}")
    module, _, attribute = RECOMMENDERS[name].partition(":")
    found: type[Recommender] = getattr(import_module(module), attribute)
    return found


def compared_recommenders() -> list[type[Recommender]]:
    """The recommenders that evaluation puts side by side."""
    return [found for found in map(recommender_class, RECOMMENDERS) if found.compared]


def build_recommender(name: str, parameters: Mapping[str, Any]) -> Recommender:
    """A recommender with the parameters that a manifest or an evaluation names, to fit it again.

    Raises:
        LearningError: The name or a parameter is not known.
    """
    try:
        return recommender_class(name)(**parameters)
    except TypeError as error:
        raise LearningError(f"{name}: parameters {dict(parameters)} do not fit: {error}") from error


def load_model(
    name: str, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
) -> Model:
    """The model that a recommender of this name fitted, from what `Model.arrays` and `Model.config` gave.

    Raises:
        LearningError: The name is not known, or an array or a number is missing.
    """
    model = recommender_class(name).model
    try:
        return model.from_arrays(items, arrays, config, available=available)
    except KeyError as error:
        raise LearningError(f"{name}: {error} is missing; there are {', '.join(sorted([*arrays, *config]))}") from error
