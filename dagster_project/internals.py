"""The only imports of Dagster's private modules: what it has no public name for.

Dagster promises nothing about these between releases, so its version is pinned and the tests run each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from feedback.settings.source import ROOT

if TYPE_CHECKING:
    from dagster._core.definitions.reconstruct import ReconstructableJob as ReconstructableJob
    from dagster._core.remote_origin import RemoteJobOrigin
    from dagster._core.storage.event_log import SqliteEventLogStorage

LOCATION = "heed"
"""The name that `workspace.yaml` and `pyproject.toml` give the code location."""
REPOSITORY = "__repository__"
MODULE = "dagster_project.definitions"


def origin_of(job: dg.JobDefinition) -> RemoteJobOrigin:
    """The job's address, as `dagster dev -w workspace.yaml` writes it on the runs that it makes.

    Without it the web pages can show a run but not execute it again. Public functions that make a run, such as
    `dg.execute_job`, leave it out.
    """
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteJobOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    target = LoadableTargetOrigin(module_name=MODULE, working_directory=str(ROOT))
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job.name)


def execute(job: ReconstructableJob, run: dg.DagsterRun, instance: dg.DagsterInstance) -> Iterator[dg.DagsterEvent]:
    """Execute a run that was made before, and hand on its events as they happen.

    `dg.execute_job` and `execute_in_process` make a run of their own and tell its events when it is over.
    """
    from dagster._core.execution.api import execute_run_iterator

    return execute_run_iterator(job, run, instance)


def own_event_log(instance: dg.DagsterInstance) -> SqliteEventLogStorage | None:
    """The event log, where it is the home's own with a file for each run; None for any other store.

    `instance.event_log_storage` is public, its class is not.
    """
    from dagster._core.storage.event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    return storage if isinstance(storage, SqliteEventLogStorage) else None


def remove_check_results(storage: SqliteEventLogStorage, run_id: str) -> None:
    """Remove a run's check results, 400 KB a run of the loop, which `instance.delete_run` leaves behind."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    with storage.index_connection() as connection:
        connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))


def shard_files(storage: SqliteEventLogStorage, run_id: str) -> list[Path]:
    """The files of a run's events."""
    shard = Path(storage.path_for_shard(run_id))
    return [shard, *(shard.with_name(f"{shard.name}-{part}") for part in ("wal", "shm"))]
