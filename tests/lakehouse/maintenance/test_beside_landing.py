"""Maintenance beside landing and readers: a child process on a real lake."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from feedback.settings.home import Settings
from lakehouse.commit import LandingCommitter
from lakehouse.file_lock import locked
from lakehouse.lake import CHECKPOINT_EVERY_COMMITS, Lake, open_lake
from lakehouse.maintenance.checkpoints import last_checkpoint
from lakehouse.maintenance.plan import OPEN_SMALL_FILES, Action, Work
from lakehouse.maintenance.run import run_maintenance
from lakehouse.maintenance.table import perform
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.spec import TableSpec
from tests.conftest import NOW
from tests.lakehouse.maintenance.small_files_lake import CAP, RETENTION, ids, land, today
from tests.lakehouse.rows import batch


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


class PollingReader(threading.Thread):
    """Polls the table all along, and holds one version over a whole pass of maintenance."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.lake, self.stop, self.passes = lake, threading.Event(), 0
        self.faults: list[str] = []
        self.seen: list[int] = []

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                held, since = self.lake.scan(FEEDBACK), self.passes
                while self.passes <= since and not self.stop.is_set():
                    self.check(self.lake.scan(FEEDBACK))
                self.check(held)
        except Exception as error:
            self.faults.append(repr(error))

    def check(self, opened: pl.LazyFrame) -> None:
        found = opened.select("log_offset").collect()["log_offset"].sort().to_list()
        if found != list(range(len(found))):
            self.faults.append(f"{len(found)} rows up to offset {found[-1]}")
        self.seen.append(len(found))


class Lander(threading.Thread):
    """Lands one event after the other from an offset on."""

    def __init__(self, lake: Lake, start: int) -> None:
        super().__init__()
        self.lake, self.stop, self.committed = lake, threading.Event(), start

    def run(self) -> None:
        committer = LandingCommitter(self.lake, "feedback", 1)
        while not self.stop.is_set():
            committer.commit(today(self.committed, self.committed + 1), at=datetime.now(UTC))
            self.committed += 1


def test_readers_always_see_each_row_once_while_landing_and_maintenance_go_on(settings: Settings, lake: Lake) -> None:
    land(lake, 1, today)
    reader, lander = PollingReader(lake), Lander(lake, 1)
    rewritten, deadline = 0, time.monotonic() + 120
    problems: list[str] = []

    reader.start()
    lander.start()
    try:
        while rewritten < 2 * OPEN_SMALL_FILES and time.monotonic() < deadline:
            report = run_maintenance(settings)
            reader.passes += 1
            problems += report.problems
            rewritten += report.tables[0].rewritten_files
    finally:
        for thread in (reader, lander):
            thread.stop.set()
            thread.join()

    assert reader.faults == []
    assert len(problems) <= 1, problems  # a pass may meet what the next one mends; it says so, and nothing stops
    assert rewritten >= 2 * OPEN_SMALL_FILES
    assert len(reader.seen) > 5
    assert lake.row_count(FEEDBACK) == lander.committed


def test_files_that_a_reader_may_hold_stay_for_the_time_of_grace(settings: Settings, lake: Lake) -> None:
    land(lake, 20)
    reader = lake.scan(FEEDBACK)
    before = lake.file_uris(FEEDBACK)

    run_maintenance(settings)

    assert all(Path(file).exists() for file in before)
    assert reader.select(pl.len()).collect().item() == 20
    # and after it they go: the same with no grace at all
    action = Action(table="feedback", work=Work.VACUUM)
    none = msgspec.structs.replace(RETENTION, landing_hours=0)
    outcome = perform(lake, FEEDBACK, action, none, now=datetime.now(UTC), cap=CAP)
    assert outcome.replaced_removed == len(before)
    assert not any(Path(file).exists() for file in before)
    assert lake.row_count(FEEDBACK) == 20


def test_a_lone_landing_writes_checkpoints_itself_but_never_while_somebody_else_does(lake: Lake) -> None:
    with locked(lake.lock_file("checkpoint"), what="checkpoints", owner="maintenance"):
        committer = land(lake, CHECKPOINT_EVERY_COMMITS + 5)
        assert last_checkpoint(lake, FEEDBACK) is None

    number = CHECKPOINT_EVERY_COMMITS + 5
    committer.commit(batch(number, number + 1), at=NOW)

    assert last_checkpoint(lake, FEEDBACK) == lake.version(FEEDBACK)


def test_a_committer_told_not_to_writes_no_checkpoint(lake: Lake) -> None:
    committer = LandingCommitter(lake, "feedback", 1, checkpoints=False)
    for number in range(CHECKPOINT_EVERY_COMMITS + 2):
        committer.commit(batch(number, number + 1), at=NOW)

    assert last_checkpoint(lake, FEEDBACK) is None


def test_a_worker_that_stood_idle_while_the_log_was_cleaned_goes_on(lake: Lake) -> None:
    idle = LandingCommitter(lake, "feedback", 2)
    idle.commit(batch(0, 1, partition=1), at=NOW)
    land(lake, 10)
    none = {"delta.logRetentionDuration": "interval 0 seconds"}
    lake.table(FEEDBACK).alter.set_table_properties(none)
    lake.table(FEEDBACK).create_checkpoint()
    lake.table(FEEDBACK).cleanup_metadata()
    assert len(list(Path(lake.uri(FEEDBACK), "_delta_log").glob("*.json"))) == 1

    assert idle.commit(batch(1, 2, partition=1), at=NOW)

    assert lake.positions("feedback", 2) == {0: 10, 1: 2}


def test_a_worker_that_slept_longer_than_orphans_live_writes_its_files_anew(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = [0.0]

    def sleep_an_hour_and_lose_the_file(point: str) -> None:
        if point == "after data file" and not asleep[0]:
            asleep[0] = 3600.0
            for file in Path(lake.uri(FEEDBACK)).rglob("*.parquet"):
                file.unlink()  # as maintenance would

    clock = time.time
    monkeypatch.setattr("lakehouse.fenced_table.time.time", lambda: clock() + asleep[0])
    committer = LandingCommitter(lake, "feedback", 1, fault=sleep_an_hour_and_lose_the_file)

    assert committer.commit(batch(0, 3), at=NOW)

    assert ids(lake) == ["e0-0", "e0-1", "e0-2"]


class StaleLake(Lake):
    """Hands out one snapshot from before a delete, then fresh ones."""

    stale: list[DeltaTable]

    def table(self, spec: TableSpec) -> DeltaTable:
        return self.stale.pop() if self.stale else super().table(spec)


@pytest.mark.parametrize(("stale", "done"), [(1, True), (3, False)])
def test_a_rewrite_that_is_refused_is_tried_again_then_left(lake: Lake, stale: int, done: bool) -> None:
    land(lake, 5)
    slow = StaleLake(lake.root)
    slow.stale = [lake.table(FEEDBACK) for _ in range(stale)]
    lake.table(FEEDBACK).delete("id = 'e0-1'")
    action = Action(table="feedback", work=Work.COMPACT, day=NOW.date(), target_bytes=1 << 20)

    if done:
        assert perform(slow, FEEDBACK, action, RETENTION, now=NOW, cap=CAP).files_after == 1
    else:
        with pytest.raises(CommitFailedError):
            perform(slow, FEEDBACK, action, RETENTION, now=NOW, cap=CAP)
    assert lake.row_count(FEEDBACK) == 4
