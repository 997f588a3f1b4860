"""Retention after a run: each store drops what exceeds the home's settings.

A store that cannot be pruned is named and left to the next run; the run that is ending does not fail for it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from feedback.settings.home import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance


KILLED = ("spark/blockmgr-*", "spark/spark-*", "maintenance-*", "upkeep-*")
"""Folders that Spark and maintenance leave in the run folder when they are killed; earlier releases wrote `upkeep-`."""
KILLED_AFTER = timedelta(days=2)
"""Longer than any process works on such a folder without touching it."""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """How much was removed, and what could not be."""

    removed: dict[str, int]
    problems: list[str]

    @property
    def words(self) -> str:
        """What was removed, in words."""
        some = [f"{number:,} {what}" for what, number in self.removed.items() if number]
        return "removed what is beyond the retention: " + (", ".join(some) or "nothing")


def prune(settings: Settings, instance: DagsterInstance, *, now: datetime) -> Pruned:
    """Drop what is beyond the retention, store by store; call it while no other loop works on the home."""
    return _each(
        {
            "MLflow": lambda: _prune_mlflow(settings),
            "Dagster's runs": lambda: _prune_runs(settings.dagster.runs_kept, instance, now),
            "table versions": lambda: _prune_tables(settings),
            "refused rows": lambda: _prune_refused(settings.paths.refused, settings.maintenance.refused_days, now),
            "leftovers": lambda: _prune_leftovers(settings.paths.run_folder, now),
        }
    )


def prune_beside_the_loop(settings: Settings, instance: DagsterInstance, *, now: datetime) -> Pruned:
    """Drop what also grows while no loop runs: maintenance's runs, and files of refused rows."""
    return _each(
        {
            "Dagster's runs": lambda: _prune_runs(settings.dagster.runs_kept, instance, now),
            "refused rows": lambda: _prune_refused(settings.paths.refused, settings.maintenance.refused_days, now),
        }
    )


def _each(stores: Mapping[str, Callable[[], dict[str, int]]]) -> Pruned:
    removed: dict[str, int] = {}
    problems: list[str] = []
    for what, work in stores.items():
        try:
            removed.update(work())
        except Exception as error:  # no error of a store fails the run: its model is published already
            words = str(error).strip() or type(error).__name__
            problems.append(f"{what} could not be pruned, the next run tries again: {words.splitlines()[0]}")
    return Pruned(removed=removed, problems=problems)


def _prune_mlflow(settings: Settings) -> dict[str, int]:
    from models.tracking.champion import align_champion, has_registry
    from models.tracking.retention import prune_mlflow

    if not has_registry(settings.mlflow):
        return {}
    align_champion(settings.mlflow, settings.paths)  # first, for it decides which version stays
    done = prune_mlflow(settings.mlflow, settings.paths)
    return {"registered versions": done.versions, "logged models": done.models, "MLflow runs": done.runs}


def _prune_runs(keep: int, instance: DagsterInstance, now: datetime) -> dict[str, int]:
    from dagster_project.run_retention import prune_runs

    return {"Dagster runs": prune_runs(instance, keep=keep, now=now)}


def _prune_tables(settings: Settings) -> dict[str, int]:
    from dagster_project.lib.tables.registry import TABLE_ASSETS
    from lakehouse.lake import open_lake
    from lakehouse.maintenance.versions import trim_history
    from lakehouse.tables.evaluations import EVALUATIONS

    lake = open_lake(settings)
    replaced = [table.spec for table in TABLE_ASSETS.values() if table.replaces]
    keep = settings.maintenance.table_versions_kept
    done = [trim_history(lake, spec, keep=keep) for spec in (*replaced, EVALUATIONS)]
    return {"replaced table files": sum(d.files for d in done), "log entries": sum(d.log_entries for d in done)}


def _prune_refused(folder: Path, days: int, now: datetime) -> dict[str, int]:
    before = now - timedelta(days=days)
    old = [path for path in _files(folder) if _modified(path) < before]
    for path in old:
        path.unlink(missing_ok=True)
    return {"files of refused rows": len(old)}


def _prune_leftovers(folder: Path, now: datetime) -> dict[str, int]:
    left = [path for pattern in KILLED for path in folder.glob(pattern) if path.is_dir()]
    dead = [path for path in left if max(_modified(p) for p in (path, *path.iterdir())) < now - KILLED_AFTER]
    for path in dead:
        shutil.rmtree(path, ignore_errors=True)
    return {"folders of killed processes": len(dead)}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
