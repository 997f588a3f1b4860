"""An online store that nobody can write to, as while a process that was stopped in the middle of writing holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import polars as pl
import pytest

import beam_jobs.followers.online_push
from beam_jobs.followers.commit_follower import joined, runs
from beam_jobs.followers.follower import Committed
from beam_jobs.landing import drain
from beam_jobs.runner.monitor import PUSH_FAILURES
from feedback.errors import ServiceError
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.window_table import read_windows
from online.open import open_online_store
from tests.support.calls import counted_calls
from tests.support.landing.streaming import eventually, holds, landed, ratings, streaming

pytestmark = pytest.mark.beam


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("online.sqlite.file.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("beam_jobs.followers.background_worker.PAUSE_SECONDS", 0.2)


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    with closing(sqlite3.connect(settings.online.url.removeprefix("sqlite://"), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


def pushed(settings: Settings) -> dict[int, int]:
    store = open_online_store(settings.online)
    try:
        return {p: at for p, at in store.positions().items() if at}
    finally:
        store.close()


def ends(settings: Settings) -> dict[int, int]:
    log = open_log(settings.log)
    try:
        return {p: end for p, (_, end) in log.bounds().items() if end}
    finally:
        log.close()


def counted_events(settings: Settings) -> int:
    return int(read_windows(open_lake(settings), scope="all", size_seconds=3600)["events"].sum())


def test_a_stream_goes_on_landing_and_tells_the_store_afterwards(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(ratings(10))
    drain(settings)
    before = pushed(settings)
    with streaming(settings):
        with held(settings):
            for start in range(10, 50, 10):
                intake.submit(ratings(10, start=start))
                eventually(lambda: len(landed(settings)) == start + 10)  # noqa: B023 - called within the round
            assert pushed(settings) == before
        eventually(lambda: pushed(settings) == ends(settings))
    assert PUSH_FAILURES._value.get() > 0
    assert holds(settings)
    assert counted_events(settings) == 50


def test_a_drain_lands_everything_says_that_the_store_was_not_told_and_the_next_one_makes_up(
    settings: Settings,
) -> None:
    intake = open_intake(settings)
    intake.submit(ratings(10))
    drain(settings)
    intake.submit(ratings(10, start=10))

    with held(settings), pytest.raises(ServiceError, match=r"online store .* cannot be written: database is locked"):
        drain(settings)

    assert len(landed(settings)) == 20
    assert pushed(settings) != ends(settings)
    drain(settings)
    assert pushed(settings) == ends(settings)
    assert counted_events(settings) == 20


def test_batches_of_a_backlog_are_told_together(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = open_intake(settings)
    for start in range(0, 40, 2):
        intake.submit(ratings(2, start=start))
    calls = counted_calls(monkeypatch, beam_jobs.followers.online_push, "push_commit")
    report = drain(override_settings(settings, landing_batch_events=8))
    assert report.batches >= 5
    assert len(calls) < report.batches
    assert pushed(settings) == ends(settings)


def test_commits_are_told_together_only_where_none_of_another_worker_lies_between() -> None:
    first, next_one, other = between({0: 0, 1: 5}, {0: 3, 1: 6}), between({0: 3}, {0: 7}), between({1: 6, 2: 0}, {1: 7})
    late = between({1: 9}, {1: 12})
    found = list(runs([first, next_one, other, late]))
    assert found == [[first, next_one, other], [late]]
    together = joined(found[0])
    assert (together.start, together.end) == ({0: 0, 1: 5, 2: 0}, {0: 7, 1: 7})


def between(start: dict[int, int], end: dict[int, int]) -> Committed:
    return Committed(pl.DataFrame(), start, end)


def test_a_mistake_in_telling_the_store_does_not_end_the_stream_and_is_made_up_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise TypeError("a mistake of ours")

    intake = open_intake(settings)
    intake.submit(ratings(10))
    drain(settings)
    before, failures = pushed(settings), PUSH_FAILURES._value.get()
    with streaming(settings):
        with monkeypatch.context() as patched:
            for name in ("push_commit", "catch_up"):
                patched.setattr(beam_jobs.followers.online_push, name, mistaken)
            intake.submit(ratings(10, start=10))
            eventually(lambda: PUSH_FAILURES._value.get() > failures)
            intake.submit(ratings(10, start=20))
            eventually(lambda: len(landed(settings)) == 30)
            assert pushed(settings) == before
        eventually(lambda: pushed(settings) == ends(settings))
    assert holds(settings)
