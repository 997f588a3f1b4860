from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.tables.windows import SIGNALS
from lakehouse.window_rows import Mark
from lakehouse.window_table import read_windows
from online.open import open_window_store
from online.sqlite.windows import SqliteWindowStore
from online.windows import newest_windows
from tests.beam_jobs.followers.windows import reference
from tests.beam_jobs.followers.windows.streams import LATENESS, Event, World, counted, event, numbered, shown


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def views(count: int, *, start: float = 0.0) -> list[Event]:
    return [event(after=start + n, partition=n % 2, item_id=f"i{n % 3}") for n in range(count)]


def plainly(events: list[Event]) -> dict[reference.Window, dict[str, object]]:
    return counted(reference.windows(events, lateness=LATENESS))


def test_windows_show_before_they_close_and_change_until_then(world: World) -> None:
    log = numbered(views(6))
    sink = world.sink()

    sink.process(world.commit(log[:2]), now=world.now)
    early = newest_windows(world.store, 60, "all")
    sink.process(world.commit(log[2:]), now=world.now)
    later = newest_windows(world.store, 60, "all")

    assert (early["events"].to_list(), later["events"].to_list()) == ([2], [6])
    assert not later["final"].any()
    assert world.lake.scan(SIGNALS).filter(pl.col("scope") == "all", pl.col("size_seconds") == 60).collect().height == 4


def test_between_flushes_nothing_is_written(world: World) -> None:
    log = numbered(views(6))
    sink = world.sink(every=60.0)
    start = world.now

    sink.process(world.commit(log[:2]), now=start + timedelta(seconds=20))
    sink.process(world.commit(log[2:]), now=start + timedelta(seconds=59))
    assert world.stored() == {}
    sink.flush_if_due(start + timedelta(seconds=60))

    assert world.stored() == plainly(log)


def test_where_writing_takes_long_it_is_done_less_often(world: World) -> None:
    log = numbered(views(8))
    sink = world.sink(every=5.0, write_seconds=2.0)  # 5 % of 40 seconds
    start = world.now

    def marked() -> int:
        return sum(mark.position for mark in world.store.marks().values())

    sink.process(world.commit(log[:2]), now=start + timedelta(seconds=5))
    first = marked()
    sink.process(world.commit(log[2:4]), now=start + timedelta(seconds=44))
    second = marked()
    sink.process(world.commit(log[4:6]), now=start + timedelta(seconds=45))

    assert (first, second, marked()) == (2, 2, 6)


def test_a_window_becomes_final_once_the_log_has_passed_its_end_and_the_lateness(world: World) -> None:
    first = [event(after=0), event(after=0, partition=1)]
    log = numbered([*first, event(after=614), event(after=616), event(after=616, partition=1)])
    sink = world.sink(log_ends=dict)

    def final() -> list[bool]:
        panes = world.lake.scan(SIGNALS).filter(pl.col("size_seconds") == 10, pl.col("window_start") == first_window)
        return panes.sort("log_partition", "pane").collect()["final"].to_list()

    first_window = first[0]["occurred_at"]
    sink.process(world.commit(log[:2]), now=world.now)
    sink.process(world.commit(log[2:3]), now=world.now)
    assert final() == [False, False]
    sink.process(world.commit(log[3:4]), now=world.now)
    assert final() == [False, True, False]
    assert not read_windows(world.lake, size_seconds=10, since=first_window)["final"][-1]
    sink.process(world.commit(log[4:]), now=world.now)

    assert final() == [False, True, False, True]
    assert read_windows(world.lake, size_seconds=10)["final"].to_list() == [False, True]


def test_windows_whose_time_has_come_are_closed_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    log = numbered([*views(60), event(after=7300, partition=0), event(after=7300, partition=1)])
    sink = world.sink()
    sink.process(world.commit(log[:60]), now=world.now)
    monkeypatch.setattr("beam_jobs.followers.windows.sink.ROWS_AT_ONCE", 10)
    written: list[int] = []
    put = world.store.put
    monkeypatch.setattr(world.store, "put", lambda rows, *a, **k: written.append(rows.height) or put(rows, *a, **k))

    sink.process(world.commit(log[60:]), now=world.now)

    assert len(written) > 3
    assert max(written) < 30  # one window's rows of both partitions may come on top
    assert newest_windows(world.store, 3600, "all", windows=5)["final"].to_list() == [False, True]
    assert world.stored() == plainly(log)


def test_a_silent_log_closes_windows_too_once_it_proves_to_end_where_counting_stands(world: World) -> None:
    sink = world.sink()
    sink.process(world.commit(numbered(views(2))), now=world.now)
    ends = world.positions

    world.positions = {0: 99, 1: 99}
    sink.flush(world.now + timedelta(hours=3))
    assert not newest_windows(world.store, 3600, "all")["final"].any()
    world.positions = ends
    sink.flush(world.now + timedelta(hours=3, minutes=1))

    assert newest_windows(world.store, 3600, "all")["final"].all()
    assert newest_windows(world.store, 3600, "all")["events"].to_list() == [2]


def test_closed_windows_leave_the_store_and_stay_in_the_table(world: World) -> None:
    log = numbered([event(after=60.0 * n, item_id="a") for n in range(60)])
    sink = world.sink(kept=3)

    for one in log:
        sink.process(world.commit([one]), now=world.now)

    lengths = {size: newest_windows(world.store, size, "all", windows=1000).height for size in (10, 60, 3600)}
    # Twelve ended at most the lateness and the margin ago.
    assert lengths == {10: 11, 60: 12 + 3, 3600: 1}
    assert shown(read_windows(world.lake)) == plainly(log)


def test_two_workers_that_take_a_partition_from_each_other_count_everything_once(world: World) -> None:
    log = numbered(views(12))
    one, two = world.sink(every=1e9), world.sink(every=1e9)

    one.process(world.commit(log[:3]), now=world.now)
    two.process(world.commit(log[3:6]), now=world.now)  # counts the first three too: one has not written them
    two.flush(world.now)
    one.flush(world.now)  # was overtaken
    one.process(world.commit(log[6:9]), now=world.now)
    two.process(world.commit(log[9:]), now=world.now)
    one.flush(world.now)
    two.flush(world.now)

    assert world.stored() == plainly(log)
    assert shown(read_windows(world.lake)) == plainly(log)


def test_a_worker_that_wakes_after_it_lost_its_partitions_changes_nothing(world: World) -> None:
    log = numbered(views(8))
    sleeper = world.sink(every=1e9)
    sleeper.process(world.commit(log[:4]), now=world.now)
    other = world.sink(every=1e9)
    other.process(world.commit(log[4:]), now=world.now)
    other.flush(world.now)
    marks, version = world.store.marks(), world.lake.version(SIGNALS)

    sleeper.flush(world.now)

    assert (world.store.marks(), world.lake.version(SIGNALS)) == (marks, version)
    assert world.stored() == plainly(log)


def test_a_worker_that_takes_over_between_the_table_and_the_store_publishes_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = numbered(views(4))
    one, other = world.sink(every=1e9), world.sink(every=1e9)
    one.process(world.commit(log[:2]), now=world.now)
    last = world.commit(log[2:])
    one.process(last, now=world.now)
    put = world.store.put

    def late(*given: Any, **named: Any) -> bool:
        monkeypatch.undo()
        other.process(last, now=world.now)  # finds a gap and counts from the store's marks, which are about to move
        return put(*given, **named)

    monkeypatch.setattr(world.store, "put", late)
    one.flush(world.now)
    other.flush(world.now)

    assert world.stored() == plainly(log)
    assert shown(read_windows(world.lake)) == plainly(log)


def test_a_lost_store_is_restored_from_the_table_and_the_landed_rows(world: World, tmp_path: Path) -> None:
    log = numbered(views(9))
    sink = world.sink(every=1e9)
    sink.process(world.commit(log[:5]), now=world.now)
    sink.flush(world.now)
    sink.process(world.commit(log[5:]), now=world.now)  # committed, never written
    world.store = SqliteWindowStore(tmp_path / "anew.db")

    world.sink()

    assert world.stored() == plainly(log)
    assert shown(read_windows(world.lake)) == plainly(log)


def test_switched_on_later_windows_begin_with_what_lands_from_then_on(world: World) -> None:
    log = numbered(views(9))
    world.commit(log[:4])
    sink = world.sink()

    sink.process(world.commit(log[4:]), now=world.now)

    assert world.stored() == plainly(log[4:])


def test_switched_off_for_a_while_nothing_is_missing_afterwards(world: World) -> None:
    log = numbered(views(9))
    world.sink().process(world.commit(log[:3]), now=world.now)
    world.commit(log[3:6])

    world.sink().process(world.commit(log[6:]), now=world.now)

    assert world.stored() == plainly(log)


def test_a_batch_without_clean_events_moves_the_mark(world: World) -> None:
    sink = world.sink()
    batch = world.commit(numbered(views(2)))
    sink.process(batch, now=world.now)
    sink.process(replace(batch, events=batch.events.clear(), start=dict(batch.end), end={0: 7}), now=world.now)

    assert world.store.marks()[0].position == 7
    assert world.store.marks()[1].position == 1


def test_the_log_made_anew_is_counted_from_its_new_positions(world: World, tmp_path: Path) -> None:
    world.store.put(world.store.newest(10, "all", windows=1), {0: Mark(40, 1000)}, expected={0: 0})

    sink = world.sink()
    log = numbered(views(4))
    sink.process(world.commit(log), now=world.now)

    assert world.stored() == plainly(log)
    assert world.store.marks()[0] == Mark(41, 2)


def test_the_settings_open_the_store_beside_the_online_store(tmp_path: Path) -> None:
    from beam_jobs.followers.windows.sink import WindowSink
    from feedback.settings.home import load_settings
    from tests.conftest import NOW

    settings = load_settings(tmp_path)

    sink = WindowSink.of(settings)
    sink.load(NOW)
    sink.close(NOW)

    assert open_window_store(settings.online).marks() == dict.fromkeys(range(4), Mark(1, 0))
