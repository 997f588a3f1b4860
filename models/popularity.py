"""What most people touch: the baseline that a learnt recommender has to beat, and the list for strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.histories import Histories, History, ItemIndex
from models.recommender import Model, Scores

HALF_LIFE_DAYS = 30.0


class PopularityModel(Model):
    """The same scores for everybody; only what is left out differs."""

    def scores(self, history: History) -> Scores | None:
        """Nothing personal."""
        return None

    def batch_scores(self, histories: Histories, rows: slice) -> Scores:
        """The popularity of every item, for everybody."""
        return np.tile(self.popularity, (rows.stop - rows.start, 1))


@dataclass(frozen=True, slots=True)
class Popularity:
    """Counts the people behind each item."""

    @property
    def name(self) -> str:
        """What evaluations call it."""
        return "popularity"

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """None."""
        return {}

    def fit(self, interactions: pl.DataFrame, items: ItemIndex, *, seed: int) -> PopularityModel:
        """Count."""
        return PopularityModel(items, popularity_of(interactions, items))


@dataclass(frozen=True, slots=True)
class DecayedPopularity:
    """Counts the people behind each item; one of a half-life ago counts half."""

    half_life_days: float = HALF_LIFE_DAYS

    @property
    def name(self) -> str:
        """What evaluations call it."""
        return "decayed_popularity"

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """The half-life."""
        return {"half_life_days": self.half_life_days}

    def fit(self, interactions: pl.DataFrame, items: ItemIndex, *, seed: int) -> PopularityModel:
        """Count, fading back from the last interaction, not from the wall clock, so that a repeat is equal."""
        return PopularityModel(items, decayed_popularity_of(interactions, items, half_life_days=self.half_life_days))


def popularity_of(interactions: pl.DataFrame, items: ItemIndex) -> Scores:
    """People per item, in index order."""
    return _summed(interactions.select("item_id", share=pl.lit(1.0)), items)


def decayed_popularity_of(interactions: pl.DataFrame, items: ItemIndex, *, half_life_days: float) -> Scores:
    """People per item, halved for every half-life between an interaction and the latest of all."""
    age = (pl.col("last_at").max() - pl.col("last_at")).dt.total_seconds() / 86_400.0
    return _summed(interactions.select("item_id", share=0.5 ** (age / half_life_days)), items)


def _summed(shares: pl.DataFrame, items: ItemIndex) -> Scores:
    index = pl.DataFrame({"item_id": list(items.ids)}, schema={"item_id": pl.String})
    sums = shares.group_by("item_id").agg(pl.col("share").sum())
    joined = index.join(sums, on="item_id", how="left", maintain_order="left")
    return joined["share"].fill_null(0.0).cast(pl.Float32).to_numpy()
