"""What every test can ask for: a home of its own and a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedback.settings.home import Settings, load_settings
from tests.support.kafka_broker import kafka_broker
from tests.support.mlflow_home import empty_mlflow, tracked
from tests.support.prism_runner import prism

__all__ = ["empty_mlflow", "kafka_broker", "prism", "tracked"]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home", landing_flush_seconds=0.05)


@pytest.fixture
def now() -> datetime:
    return NOW
