"""A home's intake with a folder for files to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.intake import open_intake
from feedback.settings.home import Settings
from tests.gateway.files.importing import Importing


@pytest.fixture
def importing(settings: Settings, tmp_path: Path) -> Iterator[Importing]:
    intake = open_intake(settings)
    yield Importing(intake, tmp_path)
    intake.log.close()
