"""Landing as one fused Beam chain: source, stages, sink. `drain` and `stream` differ in their source alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from beam_jobs.admit import admit
from beam_jobs.batch import Batch, Stage
from beam_jobs.coder import register_batch_coder
from beam_jobs.signals.transform import LiveWindows
from beam_jobs.sink import Commit, Deduplicate
from beam_jobs.source import ReadForever, ReadToEnd
from feedback.settings import Settings

EMBEDDED = "FnApiRunner"

CLEANING: tuple[tuple[str, Stage], ...] = ()
"""Stages between deduplication and commit, in order: screen, score text, redact, enrich take their place here."""


def build_landing(
    pipeline: beam.Pipeline,
    source: beam.DoFn,
    settings: Settings,
    token: str,
    *,
    cleaning: Sequence[tuple[str, Stage]] = CLEANING,
) -> beam.PCollection:
    """Wire one worker's chain: read (one batch ahead), admit, deduplicate, clean, commit, live windows."""
    register_batch_coder()
    batches = (
        pipeline
        | "Worker" >> beam.Create([0], reshuffle=False)
        | "Read" >> beam.ParDo(source).with_output_types(Batch)
        | "Admit" >> beam.Map(admit, max_future=timedelta(seconds=settings.max_future_seconds)).with_output_types(Batch)
        | "Deduplicate" >> beam.ParDo(Deduplicate(settings, token)).with_output_types(Batch)
    )
    for name, stage in cleaning:
        batches = batches | name >> beam.Map(stage).with_output_types(Batch)
    committed = batches | "Commit" >> beam.ParDo(Commit(settings, token)).with_output_types(Batch)
    if settings.signals:
        _ = committed | "LiveWindows" >> LiveWindows(settings)
    return committed


def drain_source(settings: Settings, token: str) -> beam.DoFn:
    """Reads to the end that the log has when the pipeline starts."""
    return ReadToEnd(settings, token)


def stream_source(settings: Settings, token: str) -> beam.DoFn:
    """Reads as long as the pipeline runs."""
    return ReadForever(settings, token)


def open_pipeline(settings: Settings, *, streaming: bool) -> beam.Pipeline:
    """A pipeline on the runner that the settings name; other runners get Beam's own options as they are."""
    options = PipelineOptions(settings.beam_options, streaming=streaming)
    if settings.beam_runner == EMBEDDED:
        return beam.Pipeline(runner=FnApiRunner(), options=options)
    return beam.Pipeline(runner=settings.beam_runner, options=options)
