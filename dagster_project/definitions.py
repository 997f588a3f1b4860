"""The code location `heed`: everything under `defs/`, found by Dagster itself."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

import feedback  # noqa: F401 - switches telemetry off before anything else is imported
from feedback.settings.source import ROOT


@dg.definitions
def defs() -> dg.Definitions:
    """Every asset, check, job, schedule, sensor and resource of the loop."""
    if str(ROOT) not in sys.path:  # Dagster's tools put the project on the path only while they import this module
        sys.path.append(str(ROOT))
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
