"""A long stream on the embedded runner: fresh pipelines take over again and again, and no event is lost or doubled."""

from __future__ import annotations

import time

import pytest

import beam_jobs.pipeline
import beam_jobs.source.reads
import beam_jobs.stages.deduplication.landed_ids
from beam_jobs.landing import drain
from feedback.intake import open_intake
from feedback.settings.home import Settings, override_settings
from tests.support.calls import counted_calls
from tests.support.landing.streaming import eventually, first_event_seconds, holds, landed, ratings, streaming

pytestmark = pytest.mark.beam

ROLL_SECONDS = 1.0
ROLLS = 6
EMPTY_SECONDS = 3.0
LONGEST_SECONDS = 15.0
"""A hand-over takes a tenth of a second on an idle machine; events that nobody takes over would wait for ever."""


def test_pipelines_roll_and_nothing_is_lost_doubled_or_delayed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolling = override_settings(settings, landing_roll_minutes=ROLL_SECONDS / 60)
    pipelines = counted_calls(monkeypatch, beam_jobs.pipeline, "build_landing")
    readers = counted_calls(monkeypatch, beam_jobs.source.reads, "LogReader")
    loads = counted_calls(monkeypatch, beam_jobs.stages.deduplication.landed_ids, "landed_hashes")
    intake = open_intake(rolling)
    waits: list[float] = []
    sent = 0

    with streaming(rolling):
        while len(pipelines) <= ROLLS:
            appended_at = time.monotonic()
            intake.submit(ratings(5, start=sent))
            sent += 5
            eventually(lambda count=sent: len(landed(settings)) == count, every=0.002)
            waits.append(time.monotonic() - appended_at)

    streamed = len(readers), len(loads)
    assert drain(settings).landed == 0
    assert landed(settings) == sorted(f"r{n}" for n in range(sent))
    assert holds(settings)
    assert streamed[0] == 1
    assert streamed[1] <= intake.log.partitions  # ids are read with a partition's first batch, not by every pipeline
    assert max(waits[1:]) < LONGEST_SECONDS


def test_a_source_that_starts_empty_lands_its_first_event_within_a_second(settings: Settings) -> None:
    assert first_event_seconds(settings, empty_seconds=EMPTY_SECONDS) < 1.0
