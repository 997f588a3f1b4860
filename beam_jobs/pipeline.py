"""Landing as one fused Beam chain: source, stages, sink. `drain` and `stream` differ in their source alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import apache_beam as beam
import grpc  # type: ignore[import-untyped]
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from beam_jobs.batch import Batch
from beam_jobs.followers.follow import Follow
from beam_jobs.followers.follower import Follower
from beam_jobs.followers.registry import FOLLOWERS
from beam_jobs.runner.coder import register_batch_coder
from beam_jobs.runner.runners import is_embedded
from beam_jobs.sink import Commit, Deduplicate
from beam_jobs.source.reads import ReadForever, ReadToEnd
from beam_jobs.stages.admit import admit
from beam_jobs.stages.chain import RunStages, StageMaker
from beam_jobs.stages.registry import STAGES
from feedback.errors import ServiceError, SettingsError
from feedback.settings.home import Settings
from feedback.settings.landing import BeamSettings

JOB_SERVER_SECONDS = 30.0
"""What a job server may take for its first answer; less with Beam's option `--job_server_timeout`."""
NO_TIMEOUT_SECONDS = 10 * 365 * 24 * 3600


def build_landing(
    pipeline: beam.Pipeline,
    source: beam.DoFn,
    settings: Settings,
    context_id: str,
    *,
    stages: Sequence[StageMaker] = STAGES,
    followers: Sequence[type[Follower]] | None = None,
) -> beam.PCollection:
    """Wire one worker's chain: read (one batch ahead), admit, deduplicate, run the stages, commit, followers."""
    register_batch_coder()
    batches = (
        pipeline
        | "Worker" >> beam.Create([0], reshuffle=False)
        | "Read" >> beam.ParDo(source).with_output_types(Batch)
        | "Admit" >> beam.Map(admit, max_future=settings.admission.max_future).with_output_types(Batch)
        | "Deduplicate" >> beam.ParDo(Deduplicate(settings, context_id)).with_output_types(Batch)
    )
    staged = batches | "Stages" >> beam.ParDo(RunStages(stages, settings, context_id)).with_output_types(Batch)
    committed = staged | "Commit" >> beam.ParDo(Commit(settings, context_id)).with_output_types(Batch)
    _ = committed | "Follow" >> beam.ParDo(Follow(FOLLOWERS if followers is None else followers, settings, context_id))
    return committed


def drain_source(settings: Settings, context_id: str) -> beam.DoFn:
    """Reads to the end that the log has when the pipeline starts."""
    return ReadToEnd(settings, context_id)


def stream_source(settings: Settings, context_id: str) -> beam.DoFn:
    """Reads as long as the pipeline runs."""
    return ReadForever(settings, context_id)


def open_pipeline(settings: BeamSettings, *, streaming: bool) -> beam.Pipeline:
    """A pipeline on the runner that the settings name; other runners get Beam's own options as they are.

    Raises:
        SettingsError: Beam knows no such runner, or an option does not fit.
    """
    if is_embedded(settings):
        return beam.Pipeline(runner=FnApiRunner(), options=_options(settings, streaming=streaming))
    try:
        return beam.Pipeline(runner=settings.runner, options=_options(settings, streaming=streaming))
    except (ValueError, ImportError, AttributeError) as error:
        raise SettingsError(
            f"beam_runner {settings.runner!r} with beam_options {settings.options}: {error}; "
            "docs/how-to/runners.md has examples"
        ) from error


def _options(settings: BeamSettings, *, streaming: bool) -> PipelineOptions:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse prints the mistake before it exits
            options = PipelineOptions(settings.options, streaming=streaming)
            portable = options.view_as(PortableOptions)
    except SystemExit as error:
        words = said.getvalue().strip().splitlines() or ["Beam did not take them"]
        raise SettingsError(f"beam_options {settings.options}: {words[-1]}") from error
    if portable.job_endpoint and portable.job_endpoint != "embed":
        _await_job_server(settings, portable.job_endpoint, portable.job_server_timeout)
        portable.job_server_timeout = NO_TIMEOUT_SECONDS
    return options


def _await_job_server(settings: BeamSettings, endpoint: str, seconds: float) -> None:
    """Wait for the job server here: Beam uses one timeout for its first answer and for watching the job.

    Raises:
        ServiceError: It does not answer.
    """
    channel = grpc.insecure_channel(endpoint)
    try:
        grpc.channel_ready_future(channel).result(timeout=min(seconds, JOB_SERVER_SECONDS))
    except grpc.FutureTimeoutError as error:
        raise ServiceError(
            f"the job server of the Beam runner {settings.runner} does not answer at {endpoint}; "
            "start it, or see the option --job_endpoint in beam_options"
        ) from error
    finally:
        channel.close()
