"""Live windows behind real Beam pipelines: a drain, a stream, a crash, and switched off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from beam_jobs.followers.commit_follower import CommitFollower
from beam_jobs.followers.follow import Follow
from beam_jobs.followers.windows.follower import CountWindows
from beam_jobs.followers.windows.sink import WindowSink
from beam_jobs.landing import drain, stream
from beam_jobs.runner.monitor import WINDOW_FAILURES
from feedback.errors import LakeError, ServiceError
from feedback.intake import open_intake
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.windows import SIGNALS
from lakehouse.window_rows import SCOPES, SIZES
from lakehouse.window_table import read_windows
from online.open import open_window_store
from online.windows import newest_windows
from tests.beam_jobs.followers.windows import reference
from tests.beam_jobs.followers.windows.streams import KEEP_ALL, LATENESS, World, counted, event, numbered, shown

pytestmark = pytest.mark.beam


def feedback(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Ratings of now, and every tenth of long ago."""
    now = datetime.now(UTC)
    return [
        {
            "kind": "rating", "id": f"r{n}", "user_id": str(n % 7), "item_id": f"i{n % 5}", "value": n % 5 + 1,
            "scale": [1, 5], "context": {"section": f"s{n % 2}"},
            "occurred_at": (now - timedelta(days=n % 10 == 0, seconds=n % 3)).isoformat(),
        }
        for n in range(start, start + count)
    ]  # fmt: skip


def online(settings: Settings) -> dict[reference.Window, dict[str, Any]]:
    store = open_window_store(settings.online)
    found = [newest_windows(store, size, scope, windows=KEEP_ALL) for size in SIZES.values() for scope in SCOPES]
    store.close()
    return {window: row for frame in found for window, row in shown(frame).items()}


def expected(settings: Settings) -> dict[reference.Window, dict[str, Any]]:
    landed = open_lake(settings).scan(FEEDBACK).collect().to_dicts()
    return counted(reference.windows(landed, lateness=LATENESS))


def test_a_drain_leaves_the_windows_of_what_landed(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(feedback(300))
    drain(settings)
    intake.submit(feedback(40, start=300))

    drain(settings)

    assert online(settings) == expected(settings)
    assert shown(read_windows(open_lake(settings))) == expected(settings)
    assert sum(row.get("late", 0) for window, row in online(settings).items() if window[0] == 3600) == 34


def test_a_quiet_stream_shows_its_last_events_without_an_end_and_equals_a_drain(settings: Settings) -> None:
    settings = override_settings(settings, windows_every_seconds=0.2)
    intake = open_intake(settings)
    stop, landed = threading.Event(), threading.Event()

    def note(done: int) -> None:
        if done >= 120:
            landed.set()

    thread = threading.Thread(target=stream, args=(settings, stop), kwargs={"on_progress": note})
    thread.start()
    try:
        for start in range(0, 120, 20):
            intake.submit(feedback(20, start=start))
        assert landed.wait(90)
        waiting = threading.Event()
        shows = eventually(lambda: online(settings) == expected(settings), waiting)
    finally:
        stop.set()
        thread.join(60)

    assert shows
    drain(settings)
    assert online(settings) == expected(settings)
    assert shown(read_windows(open_lake(settings))) == expected(settings)


def eventually(holds: Callable[[], bool], pause: threading.Event, *, seconds: float = 60.0) -> bool:
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    while datetime.now(UTC) < deadline:
        if holds():
            return True
        pause.wait(0.2)
    return False


def test_switched_off_no_window_is_kept(settings: Settings) -> None:
    settings = override_settings(settings, windows_enabled=False)
    open_intake(settings).submit(feedback(10))

    assert drain(settings).landed == 10

    assert online(settings) == {}
    assert not open_lake(settings).exists(SIGNALS)


def test_a_mistake_in_counting_stops_neither_landing_nor_the_next_count(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise TypeError("a mistake of ours")

    intake = open_intake(settings)
    intake.submit(feedback(40))
    before = WINDOW_FAILURES._value.get()
    with monkeypatch.context() as patched:
        patched.setattr(WindowSink, "process", mistaken)
        assert drain(settings).landed == 40
    assert WINDOW_FAILURES._value.get() == before + 1

    intake.submit(feedback(20, start=300))
    assert drain(settings).landed == 20

    assert online(settings) == expected(settings)


def test_a_torn_newest_entry_of_the_tables_log_stops_no_drain_and_is_made_up_for(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit(feedback(40))
    drain(settings)
    log = Path(open_lake(settings).uri(SIGNALS)) / "_delta_log"
    newest = max(log.glob("*.json"))
    whole = newest.read_bytes()
    newest.write_bytes(whole[: len(whole) // 2])

    intake.submit(feedback(20, start=300))
    assert drain(settings).landed == 20

    newest.write_bytes(whole)
    intake.submit(feedback(20, start=600))
    assert drain(settings).landed == 20
    assert online(settings) == expected(settings)
    assert shown(read_windows(open_lake(settings))) == expected(settings)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("lakehouse.window_table.WindowsPublisher.publish", LakeError("the lake does not answer")),
        ("online.sqlite.windows.SqliteWindowStore.put", ServiceError("no room")),
        ("online.sqlite.windows.SqliteWindowStore.get", ServiceError("torn")),
    ],
    ids=["table", "store", "store cannot be read"],
)
def test_a_flush_that_fails_once_is_made_up_for_by_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise error

    world = World(settings.paths.home)
    log = numbered([event(after=n, partition=n % 2, item_id="a") for n in range(16)])
    patient = override_settings(settings, windows_every_seconds=0.001, windows_kept=KEEP_ALL)
    monkeypatch.setattr("beam_jobs.followers.windows.sink.WRITING_SHARE", 1e9)
    since = dict.fromkeys(range(settings.log.partitions), 0)
    counting = CommitFollower(CountWindows, patient, since=since)
    counting.follow(world.commit(log[:4]))
    counting.finish()

    monkeypatch.setattr(broken, fail)
    for start in (4, 8, 12):
        counting.follow(world.commit(log[start : start + 4]))
        counting.finish()
    counting.close()

    assert online(settings) == counted(reference.windows(log, lateness=LATENESS))
    assert shown(read_windows(open_lake(settings))) == online(settings)


def test_followers_count_batches_of_any_pipeline(settings: Settings) -> None:
    world = World(settings.paths.home)
    log = numbered([event(after=n, partition=n % 2, item_id="a") for n in range(6)])
    begun = WindowSink.of(settings)
    begun.load(world.now)
    begun.close(world.now)
    batches = [world.commit(log[:2]), world.commit(log[2:])]

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | beam.Create(batches, reshuffle=False)
            | beam.ParDo(Follow([CountWindows], settings, context_id="elsewhere"))
        )

    assert online(settings) == counted(reference.windows(log, lateness=LATENESS))
