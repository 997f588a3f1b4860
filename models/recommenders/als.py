"""Alternating least squares on Spark: item factors from everybody's interactions.

Signed and unsigned are one recommender with a flag. Spark can take a dislike as a negative rating, "confidently not";
on film ratings that cost a tenth of nDCG and spared nobody a disliked film, because disliking something still says
that a person cares for its kind. So a signed fit gives each item positive and negative factors, two rows of Spark's
item factors: likes are fitted to the first, dislikes to the second, all ratings are positive numbers, and a list is
ranked by the positive factors (see `factors`). What is neither liked nor disliked is weak evidence for the positive
ones (`models.preferences.weighed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import ItemIndex
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of
from models.recommenders.recommender import Recommender
from models.recommenders.training_data import TrainingData

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BLOCKS = 2
"""Blocks of users and of items: the cores of a small machine; more only add shuffles."""


SMALL = 10_000
"""Interactions below which a large rank only learns by heart."""


@dataclass(frozen=True, slots=True)
class Als(Recommender):
    """Spark's implicit ALS; the two registered recommenders differ in what they make of a dislike."""

    model = FactorModel

    signed: bool
    rank: int = 32
    regularization: float = 0.16
    alpha: float = 1.0
    iterations: int = 10
    half_life_days: float = HALF_LIFE_DAYS
    """Of the popularity that strangers get and that small histories lean on."""
    aversion: float = 0.0
    """Share of an item's negative factors taken off its score; kept for bundles that have it, fits leave it at 0."""

    def fit(self, data: TrainingData) -> FactorModel:
        """Fit item factors; items without interactions keep zero factors and so a score of zero.

        Raises:
            NotEnoughFeedback: No interaction carries weight.
        """
        ratings = ratings_of(data.interactions, data.items, signed=self.signed)
        if ratings.is_empty():
            raise NotEnoughFeedback(
                f"{self.name}: none of {data.interactions.height} interactions carries weight; "
                "send feedback about items first"
            )
        rows = len(data.items) * (2 if self.signed else 1)
        fitted = item_factors(ratings, parameters=self, session=data.session(), rows=rows, seed=data.seed)
        factors = ItemFactors(
            positive=fitted[: len(data.items)],
            negative=fitted[len(data.items) :] if self.signed else None,
            regularization=self.regularization,
            alpha=self.alpha,
            aversion=self.aversion if self.signed else 0.0,
        )
        popularity = decayed_popularity_of(data.interactions, data.items, half_life_days=self.half_life_days)
        return FactorModel(data.items, popularity, factors=factors)


@dataclass(frozen=True, slots=True)
class UnsignedAls(Als):
    """Every interaction is a wish for the item."""

    name = "unsigned_als"

    signed: bool = False

    @classmethod
    def options(cls, data: TrainingData) -> Sequence[Self]:
        """Few, and all sound on sets of this size."""
        return [cls(**choice) for choice in _choices(data, ((0.12, 1.0), (0.16, 1.0), (0.2, 2.0)))]


@dataclass(frozen=True, slots=True)
class SignedAls(Als):
    """A dislike is fitted to the item's negative factors."""

    name = "signed_als"

    signed: bool = True

    @classmethod
    def options(cls, data: TrainingData) -> Sequence[Self]:
        """Few, and all sound on sets of this size."""
        return [cls(**choice) for choice in _choices(data, ((0.12, 1.0), (0.16, 1.0), (0.16, 1.5)))]


def _choices(data: TrainingData, pairs: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Parameters by name; regularisation and alpha of large sets are `pairs`."""
    if data.interactions.height < SMALL:
        return [{"rank": 8, "regularization": value} for value in (0.1, 0.3)]
    return [{"regularization": value, "alpha": alpha} for value, alpha in pairs]


def ratings_of(interactions: pl.DataFrame, items: ItemIndex, *, signed: bool) -> pl.DataFrame:
    """Spark's input: user and row of the factors as numbers, and the strength. Sorted, so that a repeat is equal.

    An item's positive factors are row `position`, its negative ones row `len(items) + position`.
    """
    index = pl.DataFrame({"item_id": list(items.ids), "position": np.arange(len(items), dtype=np.int32)})
    shift = (pl.col("preference") < 0).cast(pl.Int32) * len(items) if signed else pl.lit(0, dtype=pl.Int32)
    return (
        interactions.filter(pl.col("weight") > 0)
        .join(index, on="item_id", how="inner")
        .select(
            user=(pl.col("subject").rank("dense") - 1).cast(pl.Int32),
            factor_row=pl.col("position") + shift,
            strength=pl.col("weight").cast(pl.Float32),
        )
        .sort("user", "factor_row")
    )


def item_factors(
    ratings: pl.DataFrame, *, parameters: Als, session: SparkSession, rows: int, seed: int
) -> npt.NDArray[np.float32]:
    """Rows x rank, fitted by Spark; zero for a row without ratings."""
    from pyspark.ml.recommendation import ALS

    frame = session.createDataFrame(ratings.to_arrow()).coalesce(BLOCKS)
    als = ALS(
        userCol="user",
        itemCol="factor_row",
        ratingCol="strength",
        implicitPrefs=True,
        rank=parameters.rank,
        regParam=parameters.regularization,
        alpha=parameters.alpha,
        maxIter=parameters.iterations,
        numUserBlocks=BLOCKS,
        numItemBlocks=BLOCKS,
        seed=seed,
    )
    fitted = als.fit(frame).itemFactors.toArrow()
    values = np.asarray(fitted.column("features").combine_chunks().flatten(), dtype=np.float32)
    factors = np.zeros((rows, parameters.rank), dtype=np.float32)
    factors[np.asarray(fitted.column("id"))] = values.reshape(-1, parameters.rank)
    return factors
