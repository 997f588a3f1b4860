"""Alternating least squares on Spark: item factors from everybody's interactions.

Signed and unsigned are one recommender with a flag. Spark can take a dislike as a negative rating, "confidently not";
on film ratings that cost a tenth of nDCG and spared nobody a disliked film, because disliking something still says
that a person cares for its kind. So a dislike is evidence for a second face of the item: a signed fit has two
columns per item, all its ratings are positive, and a list is ranked by the liked faces (see `factors`). What is
neither liked nor disliked is weak evidence for the liked face (`models.preferences.weighed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import NotEnoughFeedback
from models.interaction_matrix import ItemIndex
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.popularity import HALF_LIFE_DAYS, decayed_popularity_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BLOCKS = 2
"""Blocks of users and of items: the cores of a small machine; more only add shuffles."""


@dataclass(frozen=True, slots=True)
class AlsConfig:
    """The parameters of one fit."""

    signed: bool
    rank: int = 32
    regularization: float = 0.16
    alpha: float = 1.0
    iterations: int = 10
    half_life_days: float = HALF_LIFE_DAYS
    """Of the popularity that strangers get and that small histories lean on."""
    aversion: float = 0.0
    """How much of an item's disliked face is taken off its score; kept for bundles that have it, fits leave it at 0."""


@dataclass(frozen=True, slots=True)
class Als:
    """Spark's implicit ALS; `session` is called when a fit starts, so that nothing starts Spark before."""

    config: AlsConfig
    session: Callable[[], SparkSession]

    @property
    def name(self) -> str:
        """What evaluations and bundles call it."""
        return "signed_als" if self.config.signed else "unsigned_als"

    @property
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """The configuration."""
        return asdict(self.config)

    def fit(self, interactions: pl.DataFrame, items: ItemIndex, *, seed: int) -> FactorModel:
        """Fit item factors; items without interactions keep zero factors and so a score of zero.

        Raises:
            NotEnoughFeedback: No interaction carries weight.
        """
        ratings = ratings_of(interactions, items, signed=self.config.signed)
        if ratings.is_empty():
            raise NotEnoughFeedback(
                f"{self.name}: none of {interactions.height} interactions carries weight; "
                "send feedback about items first"
            )
        faces = len(items) * (2 if self.config.signed else 1)
        fitted = item_factors(ratings, config=self.config, session=self.session(), faces=faces, seed=seed)
        liked, disliked = fitted[: len(items)], fitted[len(items) :]
        factors = ItemFactors(
            liked=liked,
            disliked=disliked if self.config.signed else None,
            regularization=self.config.regularization,
            alpha=self.config.alpha,
            aversion=self.config.aversion if self.config.signed else 0.0,
        )
        popularity = decayed_popularity_of(interactions, items, half_life_days=self.config.half_life_days)
        return FactorModel(items, popularity, factors=factors)


def ratings_of(interactions: pl.DataFrame, items: ItemIndex, *, signed: bool) -> pl.DataFrame:
    """What Spark is given: user and face as numbers, and the strength. Sorted, so that a repeat is equal."""
    index = pl.DataFrame({"item_id": list(items.ids), "position": np.arange(len(items), dtype=np.int32)})
    shift = (pl.col("preference") < 0).cast(pl.Int32) * len(items) if signed else pl.lit(0, dtype=pl.Int32)
    return (
        interactions.filter(pl.col("weight") > 0)
        .join(index, on="item_id", how="inner")
        .select(
            user=(pl.col("subject").rank("dense") - 1).cast(pl.Int32),
            face=pl.col("position") + shift,
            strength=pl.col("weight").cast(pl.Float32),
        )
        .sort("user", "face")
    )


def item_factors(
    ratings: pl.DataFrame, *, config: AlsConfig, session: SparkSession, faces: int, seed: int
) -> npt.NDArray[np.float32]:
    """Faces x rank, fitted by Spark; zero for a face that nobody rated."""
    from pyspark.ml.recommendation import ALS

    frame = session.createDataFrame(ratings.to_arrow()).coalesce(BLOCKS)
    als = ALS(
        userCol="user",
        itemCol="face",
        ratingCol="strength",
        implicitPrefs=True,
        rank=config.rank,
        regParam=config.regularization,
        alpha=config.alpha,
        maxIter=config.iterations,
        numUserBlocks=BLOCKS,
        numItemBlocks=BLOCKS,
        seed=seed,
    )
    fitted = als.fit(frame).itemFactors.toArrow()
    values = np.asarray(fitted.column("features").combine_chunks().flatten(), dtype=np.float32)
    factors = np.zeros((faces, config.rank), dtype=np.float32)
    factors[np.asarray(fitted.column("id"))] = values.reshape(-1, config.rank)
    return factors
