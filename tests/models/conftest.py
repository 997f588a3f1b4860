"""One Spark session for all tests that need one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from feedback.settings.home import load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    from models.spark import spark_session

    settings = load_settings(tmp_path_factory.mktemp("spark-home"), spark_master="local[2]", spark_memory="1g")
    session = spark_session(settings.spark, settings.paths.run_folder)
    yield session
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Spark's gateway leaves its sockets to the interpreter
        session.stop()


@pytest.fixture
def session(spark: SparkSession) -> Callable[[], SparkSession]:
    return lambda: spark
