"""Every registered recommender passes the conformance suite; one that is registered without a class here is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl
import pytest

from models.interaction_matrix import ItemIndex
from models.recommenders.als import SignedAls, UnsignedAls
from models.recommenders.hybrid.recommender import Hybrid
from models.recommenders.item_neighbours import ItemNeighbours
from models.recommenders.popularity import DecayedPopularity, Popularity
from models.recommenders.registry import RECOMMENDERS
from models.recommenders.single.co_visitation import CoVisitation
from models.recommenders.single.content import Content
from models.recommenders.single.item_quality import ItemQuality
from models.recommenders.single.trending import Trending
from models.recommenders.single.user_neighbours import UserNeighbours
from models.recommenders.training_data import TrainingData
from tests.models.recommenders.conformance import RecommenderConformance

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class TestPopularity(RecommenderConformance):
    recommender = Popularity()


class TestDecayedPopularity(RecommenderConformance):
    recommender = DecayedPopularity()


class TestItemNeighbours(RecommenderConformance):
    recommender = ItemNeighbours()


class TestTrending(RecommenderConformance):
    recommender = Trending()


class TestItemQuality(RecommenderConformance):
    recommender = ItemQuality()


class TestUserNeighbours(RecommenderConformance):
    recommender = UserNeighbours()


class TestCoVisitation(RecommenderConformance):
    recommender = CoVisitation(time_share=0.5)


class TestContent(RecommenderConformance):
    recommender = Content(rank=4)

    @staticmethod
    def data(
        interactions: pl.DataFrame, spark_of: Callable[[], SparkSession], items: ItemIndex | None = None
    ) -> TrainingData:
        """Items of one kind share a category and a word."""
        index = ItemIndex.of(interactions) if items is None else items
        kinds = ["odd" if item[-1:].isdigit() and int(item[-1]) % 2 else "even" for item in index]
        entries = pl.DataFrame(
            {
                "item_id": list(index),
                "title": [f"Something {kind}" for kind in kinds],
                "categories": [[k] for k in kinds],
            }
        )
        return TrainingData.of(interactions, items, catalogue=entries, seed=3, session=spark_of)


class TestHybrid(RecommenderConformance):
    recommender = Hybrid(ranks="4,4", regularization=0.05, ease_regularization=1.0, newcomer_events=2, chosen=True)


class TestHybridOverBestNeighbours(RecommenderConformance):
    recommender = Hybrid(
        ranks="4", regularization=0.05, ease_regularization=1.0, ease_neighbours=11, known_slots=0, chosen=True
    )


class TestHybridThatChooses(RecommenderConformance):
    recommender = Hybrid(ranks="4", regularization=0.05, ease_regularization=1.0)


class OnSpark(RecommenderConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def spark_of(cls, spark: SparkSession) -> Callable[[], SparkSession]:
        return lambda: spark


@pytest.mark.spark
class TestSignedAls(OnSpark):
    recommender = SignedAls(rank=2, regularization=0.05, iterations=2)


@pytest.mark.spark
class TestUnsignedAls(OnSpark):
    recommender = UnsignedAls(rank=2, regularization=0.05, iterations=2)


def subclasses(kind: type[RecommenderConformance]) -> set[type[RecommenderConformance]]:
    return {kind} | {deeper for below in kind.__subclasses__() for deeper in subclasses(below)}


def test_every_registered_recommender_has_a_conformance_test() -> None:
    tested = {
        vars(kind)["recommender"].name for kind in subclasses(RecommenderConformance) if "recommender" in vars(kind)
    }

    assert set(RECOMMENDERS) <= tested
