"""The home's Dagster instance: its folder, its dagster.yaml (written once, yours to edit), and opening it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from feedback.errors import HomeError
from feedback.settings.home import Settings, ensure_home

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOOP_TAG = "heed/loop"
"""On every run of the loop; the run queue lets one such run start at a time."""

DAGSTER_YAML = f"""\
# Written once by Heed; edit it as you like. Runs, events and schedules stand in SQLite beside this file; another
# store is named here: https://docs.dagster.io/deployment/oss/dagster-yaml
telemetry:
  enabled: false

concurrency:
  pools:
    default_limit: 1      # each pool is one table (or the bundles): one writer at a time
    granularity: op
  runs:
    max_concurrent_runs: 2
    tag_concurrency_limits:
      - key: {LOOP_TAG}
        limit: 1          # one loop at a time

retention:                # of ticks; days
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 2
      failure: 30
      success: 90

nux:
  enabled: false
"""


def ensure_instance(settings: Settings) -> Path:
    """Make the instance folder and its dagster.yaml on first use; returns the folder, which is DAGSTER_HOME.

    Raises:
        HomeError: The folder cannot be made or written.
    """
    ensure_home(settings)
    folder = settings.paths.dagster_home
    path = folder / "dagster.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise HomeError(f"Dagster's folder {folder} cannot be written: {error.strerror or error}") from error
    return folder


def open_instance(settings: Settings) -> DagsterInstance:
    """The home's instance; what runs on it is seen in its web pages. Use it as a context manager."""
    from dagster import DagsterInstance

    return DagsterInstance.from_config(str(ensure_instance(settings)))
