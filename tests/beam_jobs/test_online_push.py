"""An online store that nobody can write to, as while a process that was stopped in the middle of writing holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from beam_jobs.landing import drain
from beam_jobs.monitor import PUSH_FAILURES
from feedback.errors import ServiceError
from feedback.intake import open_intake
from feedback.open_log import open_log
from feedback.settings import Settings
from lakehouse.lake import open_lake
from lakehouse.open_online import open_online_store
from lakehouse.signals import read_signals
from tests.beam_jobs.streaming import eventually, holds, landed, ratings, streaming

pytestmark = pytest.mark.beam


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.online_file.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("beam_jobs.online_push.PAUSE_SECONDS", 0.2)
    monkeypatch.setattr("beam_jobs.signals.transform.PAUSE_SECONDS", 0.2)


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    with closing(sqlite3.connect(settings.online_address.removeprefix("sqlite://"), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


def pushed(settings: Settings) -> dict[int, int]:
    store = open_online_store(settings)
    try:
        return {p: at for p, at in store.positions().items() if at}
    finally:
        store.close()


def ends(settings: Settings) -> dict[int, int]:
    log = open_log(settings)
    try:
        return {p: end for p, (_, end) in log.bounds().items() if end}
    finally:
        log.close()


def counted_events(settings: Settings) -> int:
    return int(read_signals(open_lake(settings), scope="all", size_seconds=3600)["events"].sum())


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
