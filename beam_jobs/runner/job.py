"""Run one pipeline on the runner it was made for: submit, wait, stop it in order or cancel it, and say what went wrong.

The embedded runner runs a pipeline inside `run()`. Every other runner takes a job and goes on by itself: it is told to
stop through its reader where that is in this process, else it is cancelled. A cancelled job may lose a batch that it
had begun; nothing is lost by that, since the next one starts from the positions in Delta.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

import apache_beam as beam
import grpc  # type: ignore[import-untyped]
from apache_beam.runners.runner import PipelineResult, PipelineState

from beam_jobs.runner.pipeline_context import PipelineContext, rewind_of
from beam_jobs.runner.runners import EMBEDDED
from feedback import errors
from feedback.errors import HeedError, ServiceError, SettingsError

LOGGER = logging.getLogger("heed.landing")
LOOK_SECONDS = 0.05
ASK_SECONDS = 1.0
"""How often a runner is asked for the state of a job that can no longer be watched."""
STOP_SECONDS = 10.0
"""Time for a pipeline that reads in this process to end; it returns to the runner about once a second."""
CANCEL_SECONDS = 20.0
"""Time for a runner to cancel a job; then we stop waiting."""

_OURS = re.compile(r"(?:^|\s)feedback\.errors\.(\w+): (.+?)(?: \[while running '.*)?$", re.MULTILINE)


def run_job(pipeline: beam.Pipeline, context: PipelineContext, context_id: str, *, runner: str) -> PipelineResult:
    """Run a pipeline until it ends or its context's stop event is set.

    Raises:
        HeedError: Why it failed, in our own words where a stage said so.
        SettingsError: The runner lacks an option.
        ServiceError: The runner refused it, failed it or cannot be reached.
    """
    try:
        result = pipeline.run()
    except Exception as error:
        if context.failure is None and runner == EMBEDDED:
            raise
        if isinstance(error, NotImplementedError):  # how Beam says that a runner lacks an option
            raise SettingsError(f"beam_runner {runner!r} with these beam_options: {error}") from error
        raise failure_of(error, context, runner) from error
    waiter = _Waiter(result)
    waiter.start()
    try:
        is_cancelled = _await_end(waiter, result, context, context_id, runner)
    except BaseException:  # Ctrl-C: nobody waits for the job any longer
        _cancel(result, runner)
        raise
    if waiter.error is not None and not is_cancelled and _state(result) != PipelineState.DONE:
        raise failure_of(waiter.error, context, runner) from waiter.error
    return result


def failure_of(error: BaseException, context: PipelineContext, runner: str) -> HeedError:
    """The error to raise: the stage's own if it is known or named in the text, else the runner's."""
    if context.failure is not None:
        return context.failure
    text = str(error)
    for name, message in reversed(_OURS.findall(text)):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, HeedError):
            return kind(message)
    if isinstance(error, grpc.Call):  # the text of a broken connection is a page long
        text = str(error.details())
    last = next((line for line in reversed(text.splitlines()) if line.strip()), type(error).__name__)
    return ServiceError(f"landing on the Beam runner {runner} failed: {last.strip()}")


class _Waiter(threading.Thread):
    """Waits for a job, so that its caller need not: `wait_until_finish` cannot be interrupted."""

    def __init__(self, result: PipelineResult) -> None:
        super().__init__(name="landing-job", daemon=True)
        self._result = result
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._result.wait_until_finish()
        except Exception as error:
            self.error = error


def _await_end(waiter: _Waiter, result: PipelineResult, context: PipelineContext, context_id: str, runner: str) -> bool:
    """Wait for the end; returns whether the job had to be cancelled for it."""
    cancel_at = leave_at = float("inf")
    while not _is_over(waiter, result, context):
        now = time.monotonic()
        if now >= leave_at:
            LOGGER.warning(
                "the Beam runner %s has not ended its job %g s after it was cancelled", runner, CANCEL_SECONDS
            )
            return True
        if context.stop.is_set() and leave_at == float("inf"):
            reads_here = rewind_of(context_id) is not None
            cancel_at = min(cancel_at, now + (STOP_SECONDS if reads_here else 0.0))
            if now >= cancel_at:
                _cancel(result, runner)
                leave_at = now + CANCEL_SECONDS
    return leave_at < float("inf")


def _is_over(waiter: _Waiter, result: PipelineResult, context: PipelineContext) -> bool:
    """Check once, after a short wait. If watching failed, the job may still run: ask the runner for its state."""
    if waiter.is_alive():
        waiter.join(LOOK_SECONDS)
        return not waiter.is_alive() and waiter.error is None
    if waiter.error is None:
        return True
    state = _state(result)
    if state is None or PipelineState.is_terminal(state):
        return True
    time.sleep(LOOK_SECONDS) if context.stop.is_set() else context.stop.wait(ASK_SECONDS)
    return False


def _state(result: PipelineResult) -> str | None:
    """The job's state; `None` where the runner cannot be asked."""
    try:
        return str(result.state)
    except Exception:
        return None


def _cancel(result: PipelineResult, runner: str) -> None:
    """Cancel a job that may be over; the runner may be gone too."""
    try:
        if not PipelineState.is_terminal(result.state):
            result.cancel()
    except Exception as error:
        LOGGER.warning("the Beam runner %s did not take the cancellation: %s", runner, error)


def measured(result: PipelineResult, namespace: str) -> tuple[dict[str, int], tuple[int, int] | None]:
    """Counters by name, and the least and greatest value of the only distribution, as far as the runner tells them."""
    try:
        found: dict[str, list[Any]] = result.metrics().query()
    except Exception as error:
        LOGGER.info("the runner tells no metrics: %s", error)
        return {}, None
    told = [m for m in found["counters"] if m.key.metric.namespace == namespace and m.result is not None]
    counters = {m.key.metric.name: int(m.result) for m in told}
    spans = [m.result for m in found["distributions"] if m.key.metric.namespace == namespace]
    return counters, (int(spans[0].min), int(spans[0].max)) if spans else None
