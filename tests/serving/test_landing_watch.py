"""Readiness tells when landing is down or hangs; a process that serves alone does not wait for it."""

from __future__ import annotations

import os
import time

import pytest

from beam_jobs.landing import drain
from beam_jobs.source.heartbeat import Beat
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.settings.home import Settings, override_settings
from serving.landing_watch import Judgement, LandingWatch, Sight
from tests.support.landing.streaming import eventually, ratings, streaming

START = 1_000.0
PATIENCE = 60.0


def sight(at: float, *, end: int = 0, position: int = 0, heard_at: float | None = None) -> Sight:
    return Sight(START + at, {0: end}, {0: position}, None if heard_at is None else START + heard_at)


def judged(*sights: Sight, expected: bool = False) -> tuple[bool, str]:
    judgement = Judgement(expected=expected, patience_seconds=PATIENCE, since=START)
    status = [judgement.status(each) for each in sights][-1]
    return status.expected, status.problem


def test_records_that_wait_while_nothing_lands_are_a_problem_after_a_while() -> None:
    waiting = [sight(at, end=5, position=2) for at in (0, 30, 61)]

    assert judged(*waiting[:2], expected=True) == (True, "")
    assert judged(*waiting, expected=True) == (True, "3 records wait in the log and nothing has landed for 61 s")


def test_a_log_that_is_silent_or_lands_slowly_is_none() -> None:
    assert judged(*(sight(at, end=5, position=5) for at in range(0, 500, 50)), expected=True)[1] == ""
    assert judged(*(sight(at, end=999, position=at // 50) for at in range(0, 500, 50)), expected=True)[1] == ""


def test_time_without_anything_to_land_does_not_count() -> None:
    assert judged(sight(0), sight(500), sight(501, end=1), expected=True) == (True, "")


def test_a_stream_that_falls_silent_is_a_problem_even_if_nothing_waits() -> None:
    assert judged(sight(0, heard_at=0), sight(50, heard_at=0)) == (True, "")
    assert judged(sight(0, heard_at=0), sight(70, heard_at=0)) == (True, "landing has not been heard of for 70 s")


def test_a_stream_that_ended_in_order_or_long_before_this_process_is_not_waited_for() -> None:
    assert judged(sight(0, heard_at=0), sight(70)) == (False, "")
    assert judged(sight(0, heard_at=-3600), sight(70, heard_at=-3600)) == (False, "")


def test_who_serves_alone_is_told_what_waits_but_does_not_expect_it_to_land() -> None:
    expected, problem = judged(*(sight(at, end=5) for at in (0, 61)))

    assert (expected, problem) == (False, "5 records wait in the log and nothing has landed for 61 s")


@pytest.mark.beam
def test_a_watch_on_a_real_home(settings: Settings) -> None:
    now = [time.time()]
    log = open_log(settings.log)
    watch = LandingWatch(override_settings(settings, landing_expected=True), log, clock=lambda: now[0])
    open_intake(settings).submit(ratings(5))
    watch.look()
    now[0] += 61
    assert "records wait in the log" in watch.look().problem

    drain(settings)

    assert (watch.look().problem, watch.status.waiting) == ("", 0)
    assert watch.status.silent_seconds == 0  # a drain is no stream


@pytest.mark.beam
def test_a_stream_is_heard_of_as_long_as_it_runs(settings: Settings) -> None:
    with streaming(settings):
        eventually(settings.paths.landing_beat_file.exists)
        first = settings.paths.landing_beat_file.stat().st_mtime
        eventually(lambda: settings.paths.landing_beat_file.stat().st_mtime > first)
    assert not settings.paths.landing_beat_file.exists()


def test_the_heart_beats_once_a_second_at_most(settings: Settings) -> None:
    now = [0.0]
    beat = Beat(settings.paths.landing_beat_file, clock=lambda: now[0])
    beat.touch()
    os.utime(settings.paths.landing_beat_file, (1, 1))

    now[0] = 0.9
    beat.touch()
    assert settings.paths.landing_beat_file.stat().st_mtime == 1
    now[0] = 1.1
    beat.touch()
    assert settings.paths.landing_beat_file.stat().st_mtime > 1
