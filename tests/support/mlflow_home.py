"""A home with an empty MLflow database: making one takes seconds, copying it none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from feedback.settings.home import Settings, load_settings
from models.tracking.runs import Tracking


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with nothing in it."""
    home = tmp_path_factory.mktemp("mlflow")
    settings = load_settings(home)
    Tracking(settings.mlflow, settings.paths)._client().search_experiments()
    return home / "mlflow.db"


@pytest.fixture
def tracked(settings: Settings, empty_mlflow: Path) -> Settings:
    """The settings of a home that has such a database."""
    settings.paths.home.mkdir(mode=0o700)
    shutil.copy(empty_mlflow, settings.paths.home / "mlflow.db")
    return settings
