"""What is popular: the baseline that a learnt recommender has to beat, and the list for strangers.

`Popularity` counts everybody who touched an item, as published figures do. `DecayedPopularity` is what Heed serves: it
counts those who want it, lately, and cuts that where more people dislike it than like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.preferences import FULL_PREFERENCE
from models.recommenders.recommender import Arrays, Config, Model, Recommender, Scores
from models.recommenders.training_data import TrainingData

HALF_LIFE_DAYS = 30.0
PRIOR_PEOPLE = 20.0
"""An item is judged by its own likes and dislikes as far as more people than these stated them."""
NEUTRAL_SHARE = 0.75
"""How much a person counts who rated an item in the middle of the scale; a like counts 1."""
DISLIKE = 0.01
"""Subtracted for each dislike, so that an item with dislikes alone ranks below one that nobody knows."""


class PopularityModel(Model):
    """The same scores for everybody; only what is left out differs."""

    personal = False

    def scores(self, history: History) -> Scores | None:
        """Nothing personal."""
        return None

    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """The popularity of every item, for everybody."""
        return np.tile(self.popularity, (rows.stop - rows.start, 1))

    @classmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model with the stored popularity."""
        return cls(items, arrays["popularity"], available=available)


@dataclass(frozen=True, slots=True)
class Popularity(Recommender):
    """Counts the people behind each item."""

    name = "popularity"
    model = PopularityModel

    def fit(self, data: TrainingData) -> PopularityModel:
        """Count."""
        return PopularityModel(data.items, popularity_of(data.interactions, data.items))


@dataclass(frozen=True, slots=True)
class DecayedPopularity(Recommender):
    """Counts the people who want each item, cut where most dislike it; one of a half-life ago counts half."""

    name = "decayed_popularity"
    model = PopularityModel

    half_life_days: float = HALF_LIFE_DAYS

    def fit(self, data: TrainingData) -> PopularityModel:
        """Count, fading back from the last interaction, not from the wall clock, so that a repeat is equal."""
        scores = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return PopularityModel(data.items, scores)


def popularity_of(interactions: pl.DataFrame, items: ItemIndex) -> Scores:
    """People per item, in index order."""
    return _summed(interactions.select("item_id", share=pl.lit(1.0)), items)


def decayed_popularity_of(interactions: pl.DataFrame, items: ItemIndex, *, half_life_days: float) -> Scores:
    """How much each item is wanted lately, in people; below 0 where it is only disliked.

    Each person who wants an item counts half for every half-life since they last did; who dislikes it does not count.
    Where dislikes outnumber likes, the sum is cut by twice the share of likes, shrunk towards that share over all
    items; dislikes fade too. So a dislike or a hide never makes an item more popular.
    """
    people = _people(interactions, half_life_days=half_life_days)
    wanted, liked, disliked = (_summed(people.select("item_id", share=name), items) for name in SHARES)
    stated = float(liked.sum() + disliked.sum())
    prior = float(liked.sum()) / stated if stated > 0 else 1.0
    share = (liked + PRIOR_PEOPLE * prior) / (liked + disliked + PRIOR_PEOPLE)
    scores: Scores = (wanted * np.minimum(2.0 * share, 1.0) - DISLIKE * disliked).astype(np.float32)
    return scores


SHARES = ("wanted", "liked", "disliked")


def _people(interactions: pl.DataFrame, *, half_life_days: float) -> pl.DataFrame:
    """Per interaction the faded share of a person who wants the item, likes it and dislikes it."""
    preference = pl.col("preference")
    wanted_at = pl.col("wanted_at") if "wanted_at" in interactions.columns else pl.lit(None)
    moment = pl.when(preference < 0).then(pl.col("last_at")).otherwise(pl.coalesce(wanted_at, "last_at"))
    age = (pl.col("last_at").max() - moment).dt.total_seconds() / 86_400.0
    faded = 0.5 ** (age / half_life_days)
    liked = (preference / FULL_PREFERENCE).clip(0.0, 1.0)
    touched = NEUTRAL_SHARE + (1.0 - NEUTRAL_SHARE) * liked
    wanted = pl.when(preference < 0).then(0.0).when(pl.col("explicit").is_null()).then(1.0).otherwise(touched)
    return interactions.select(
        "item_id",
        wanted=faded * wanted,
        liked=faded * liked,
        disliked=faded * (-preference / FULL_PREFERENCE).clip(0.0, 1.0),
    )


def _summed(shares: pl.DataFrame, items: ItemIndex) -> Scores:
    index = pl.DataFrame({"item_id": list(items.ids)}, schema={"item_id": pl.String})
    sums = shares.group_by("item_id").agg(pl.col("share").sum())
    joined = index.join(sums, on="item_id", how="left", maintain_order="left")
    return joined["share"].fill_null(0.0).cast(pl.Float32).to_numpy()
