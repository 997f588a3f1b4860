"""What every recommender is fitted to: who did what and when, what the items are, the seed, and Spark where needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import LearningError
from models.catalogue import catalogue_of
from models.interaction_matrix import InteractionMatrix, ItemIndex

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MICROSECONDS = 1_000_000.0


def no_session() -> SparkSession:
    """Stands for Spark where none was given.

    Raises:
        LearningError: Always.
    """
    raise LearningError("this recommender is fitted by Spark; give TrainingData a `session` that starts it")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Interactions to learn from, and all that a fit may know beside them."""

    interactions: pl.DataFrame
    """Columns of the table `interactions`: `preference` and `weight` of each (subject, item), and when."""
    items: ItemIndex
    """Every item that can be listed, learnt or not."""
    catalogue: pl.DataFrame
    """One row per item in the order of `items`: see `models.catalogue.COLUMNS`; the latest entry of each."""
    seed: int
    session: Callable[[], SparkSession] = no_session
    """Called when a fit needs Spark, so that nothing starts it before."""

    @classmethod
    def of(
        cls,
        interactions: pl.DataFrame,
        items: ItemIndex | None = None,
        *,
        catalogue: pl.DataFrame | None = None,
        seed: int,
        session: Callable[[], SparkSession] = no_session,
    ) -> TrainingData:
        """Data about all items of the interactions and of the catalogue, where `items` does not name them."""
        entries = pl.DataFrame(schema={"item_id": pl.String}) if catalogue is None else catalogue
        index = ItemIndex.of(interactions, entries) if items is None else items
        return cls(interactions, index, catalogue_of(index, entries), seed, session)

    def part(self, interactions: pl.DataFrame, *, seed: int | None = None) -> TrainingData:
        """The same items, learnt from other interactions, such as the train rows of a split."""
        return replace(self, interactions=interactions, seed=self.seed if seed is None else seed)

    @cached_property
    def matrix(self) -> InteractionMatrix:
        """The interactions in compressed rows, subjects and items sorted; items outside `items` are left out."""
        return InteractionMatrix.from_frame(self.interactions, self.items)

    @cached_property
    def first_seen(self) -> npt.NDArray[np.float64]:
        """When each item was first touched in these interactions: seconds since 1970 (UTC), NaN where it never was."""
        first = self.interactions.group_by("item_id").agg(at=pl.col("first_at").min().dt.epoch("us"))
        index = pl.DataFrame({"item_id": list(self.items.ids)}, schema={"item_id": pl.String})
        moments = index.join(first, on="item_id", how="left", maintain_order="left")["at"].cast(pl.Float64)
        return (moments / MICROSECONDS).fill_null(float("nan")).to_numpy()
