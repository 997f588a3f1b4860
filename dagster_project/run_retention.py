"""How many runs Dagster keeps of the loop and of maintenance, with their events, their logs and their files.

Runs go through Dagster's own deletion, whatever store it uses. Its SQLite store leaves a file behind for each run, and
every store leaves the run's check results; both go as well where the store is the home's own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from dagster_project.internals import LOCATION, own_event_log, remove_check_results, shard_files
from dagster_project.past_runs import ENDED, LOOP

UPKEEP_JOB = "upkeep"
JOBS = (LOOP, UPKEEP_JOB)
AT_ONCE = 200
"""Runs removed in one call: a backlog of years goes in steps, and no loop waits minutes for it."""
STRAY_AFTER = timedelta(hours=1)
"""Files of unknown runs are left by interrupted removals; younger ones may belong to a run that is being created."""
_RUN_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def runs_to_remove(newest_first: Sequence[str], *, keep: int, spared: Collection[str]) -> list[str]:
    """The ids beyond the `keep` newest, the oldest first, without the spared ones."""
    return [run for run in reversed(newest_first[keep:]) if run not in spared]


def prune_runs(instance: dg.DagsterInstance, *, keep: int, now: datetime) -> int:
    """Remove ended runs beyond the newest of each job; returns how many.

    A run that is not over stays, and one that holds the latest state of an asset, which starts the next run.
    """
    spared = _latest_runs(instance)
    obsolete: list[str] = []
    for job in JOBS:
        ended = instance.get_runs(dg.RunsFilter(job_name=job, statuses=ENDED))
        ours = [run.run_id for run in ended if _is_ours(run)]
        obsolete += runs_to_remove(ours, keep=keep, spared=spared)
    for run_id in obsolete[:AT_ONCE]:
        _remove_run(instance, run_id)
    _remove_strays(instance, now=now)
    return len(obsolete[:AT_ONCE])


def _is_ours(run: dg.DagsterRun) -> bool:
    """Whether this code location ran it: a shared store holds other projects' jobs, perhaps of the same name."""
    origin = run.remote_job_origin
    return origin is None or origin.location_name == LOCATION


def _latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold the latest materialization of an asset."""
    found: set[str] = set()
    for record in instance.get_asset_records(instance.get_asset_keys()):
        latest = record.asset_entry.last_materialization_record
        if latest is not None:
            found.add(latest.run_id)
    return found


def _remove_run(instance: dg.DagsterInstance, run_id: str) -> None:
    storage = own_event_log(instance)
    if storage is not None:
        remove_check_results(storage, run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    if storage is not None:
        _remove_files(shard_files(storage, run_id))


def _remove_strays(instance: dg.DagsterInstance, *, now: datetime) -> None:
    """Files of runs that are no longer known: of removals cut short, and logs that another process captured."""
    storage = own_event_log(instance)
    if storage is None:
        return
    shards = Path(storage.path_for_shard("any")).parent
    known = set(instance.get_run_ids())
    for path in _strays(shards.glob("*.db"), known, now=now):
        _remove_files(shard_files(storage, path.stem))
    captured = Path(instance.storage_directory())
    for path in _strays(captured.iterdir() if captured.is_dir() else [], known, now=now):
        shutil.rmtree(path, ignore_errors=True)


def _strays(paths: Iterable[Path], known: Collection[str], *, now: datetime) -> list[Path]:
    return [
        path
        for path in paths
        if _RUN_ID.match(path.stem)
        and path.stem not in known
        and now - datetime.fromtimestamp(path.stat().st_mtime, UTC) > STRAY_AFTER
    ]


def _remove_files(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
