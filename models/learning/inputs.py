"""What a run learns from: pinned versions of the tables, Spark, and the recommender that serves now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from feedback.errors import BundleCorrupt, LearningError, NoModel
from feedback.settings.home import Settings
from feedback.settings.learning import SparkSettings
from feedback.settings.paths import HomePaths
from lakehouse.lake import Lake
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.items import ITEMS
from models.bundle.store import BundleStore
from models.recommenders.recommender import Recommender
from models.recommenders.registry import build_recommender
from models.recommenders.training_data import TrainingData

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def load_training_data(settings: Settings, lake: Lake, *, interactions: int, items: int) -> TrainingData:
    """Interactions and every item that can be listed, from these versions of their tables."""
    frame = lake.scan(INTERACTIONS, version=interactions).collect().sort("subject", "item_id")
    catalogue = lake.scan(ITEMS, version=items).collect()
    return TrainingData.of(
        frame, catalogue=catalogue, seed=settings.learning.seed, session=session_of(settings.spark, settings.paths)
    )


def session_of(spark: SparkSettings, paths: HomePaths) -> Callable[[], SparkSession]:
    """Starts Spark when it is first called."""

    def session() -> SparkSession:
        from models.spark import spark_session

        return spark_session(spark, paths.run_folder)

    return session


def serving_now(bundles: BundleStore) -> Recommender | None:
    """The recommender behind the current bundle, to be fitted afresh for a fair comparison; None where none serves."""
    try:
        manifest = bundles.load().manifest
        return build_recommender(manifest.recommender, manifest.parameters)
    except (NoModel, BundleCorrupt, LearningError):  # nothing that could be compared with serves
        return None
