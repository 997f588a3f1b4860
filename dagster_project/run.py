"""Run the loop headless: one process, no web page, and the same run in Dagster's list afterwards.

The run is made with the job's snapshot and under the address that `workspace.yaml` gives its code location, so the
pages show it as any other run of `loop`. It is executed here, in this process: Beam, Spark and Great Expectations are
each imported once.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dagster_project.instance import LOOP_TAG, ensure_instance
from dagster_project.lib.recording import Recorder
from dagster_project.lib.summary import LoopSummary, StepEvent
from dagster_project.lock import holding
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun, JobDefinition

    from dagster_project.internals import ReconstructableJob

OnEvent = Callable[[StepEvent], None]

HEADLESS_TAG = "heed/headless"
"""On runs of this module: the process that executes them."""
QUIET_LOGGERS = {"console": {"config": {"log_level": "CRITICAL"}}}
NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
"""Capturing would take the terminal from the progress bar."""


def ignore_event(event: StepEvent) -> None:
    """Say nothing."""


def run_loop(settings: Settings, *, on_event: OnEvent = ignore_event) -> LoopSummary:
    """Run the job `loop` on a home to its end, and tell how it went; a failed step is told, not raised.

    Args:
        settings: Of the home to work on.
        on_event: Called in this thread when a step begins and when it ends.

    Raises:
        HomeError: The home cannot be used.
        HomeInUse: Another loop is running on it.
        LakeError: The lock that says so cannot be opened.
        SettingsError: The settings name something that cannot be used here.
    """
    run_id = str(uuid4())
    ensure_instance(settings)
    with holding(settings.paths.run_folder, owner=run_id), _headless_instance(settings) as instance:
        bury_dead_runs(instance)
        job = _reconstructable_job()
        run = _create_run(instance, job, run_id=run_id, settings=settings)
        log_file = settings.paths.run_folder / "loop.log"
        with quiet_screen(log_file):
            return _execute(instance, job, run, on_event=on_event, log_file=log_file)


@cache
def load_job() -> JobDefinition:
    """The job `loop` of this code location; loaded once in a process, for Dagster asks twice to start one run."""
    from dagster_project.definitions import defs

    return defs().resolve_job_def("loop")


def run_config(settings: Settings) -> dict[str, Any]:
    """The run's configuration: this home, and what was set otherwise than its file and environment say."""
    told = load_settings(settings.home).flat()
    overrides = {name: value for name, value in settings.flat().items() if value != told[name]}
    heed = {"home": settings.home, "overrides": overrides, "wait_seconds": 0.0}
    return {"resources": {"heed": {"config": heed}}, "loggers": QUIET_LOGGERS}


def bury_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark headless runs whose process died as failed and free their pools; call it while holding the lock."""
    from dagster import DagsterRunStatus, RunsFilter

    unfinished = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
    dead = [
        run for run in instance.get_runs(RunsFilter(job_name="loop", statuses=unfinished)) if HEADLESS_TAG in run.tags
    ]
    for run in dead:
        instance.report_run_failed(run, message=f"process {run.tags[HEADLESS_TAG]} ended before the run did")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


@contextmanager
def quiet_screen(log_file: Path) -> Iterator[None]:
    """Send what libraries and Java write to standard error into a file, to keep the screen clean."""
    sys.stderr.flush()
    screen = os.dup(2)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    silence = logging.NullHandler()
    if (
        not logging.root.handlers
    ):  # else the first line that a library logs would install a handler that prints everything
        logging.root.addHandler(silence)
    try:
        os.dup2(log, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(screen, 2)
        os.close(screen)
        os.close(log)
        logging.root.removeHandler(silence)


@contextmanager
def _headless_instance(settings: Settings) -> Iterator[DagsterInstance]:
    from dagster import DagsterInstance

    with DagsterInstance.local_temp(str(settings.paths.dagster_home), overrides=NO_CAPTURE) as instance:
        yield instance


def _reconstructable_job() -> ReconstructableJob:
    """The job with the address of `load_job`, from which another process can load it."""
    from dagster import build_reconstructable_job

    return build_reconstructable_job(__name__, load_job.__name__, reconstructor_working_directory=str(ROOT))


def _create_run(instance: DagsterInstance, job: ReconstructableJob, *, run_id: str, settings: Settings) -> DagsterRun:
    """A run as `dagster dev -w workspace.yaml` would make it."""
    from dagster_project.internals import origin_of

    definition = job.get_definition()
    return instance.create_run_for_job(
        definition,
        run_id=run_id,
        run_config=run_config(settings),
        tags={**definition.run_tags, LOOP_TAG: "yes", HEADLESS_TAG: str(os.getpid())},
        remote_job_origin=origin_of(definition),
        job_code_origin=job.get_python_origin(),
    )


def _execute(
    instance: DagsterInstance, job: ReconstructableJob, run: DagsterRun, *, on_event: OnEvent, log_file: Path
) -> LoopSummary:
    from dagster_project.internals import execute
    from dagster_project.progress import listening

    steps = [node.name for node in job.get_definition().nodes_in_topological_order]
    recorder = Recorder(run.run_id, step_keys=steps)
    started = time.monotonic()

    def tell(event: StepEvent | None) -> None:
        if event is not None:
            on_event(event)

    with listening(lambda words: tell(recorder.progress(words))):
        for event in execute(job, run, instance):
            tell(recorder.record(event))
    for left_out in recorder.leave_out():
        tell(left_out)
    return recorder.summary(seconds=time.monotonic() - started, log_file=str(log_file))
