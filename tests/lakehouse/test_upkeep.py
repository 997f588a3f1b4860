"""Upkeep for real: a child process on a real lake, beside landing and readers."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from feedback.errors import UpkeepBusy, UpkeepFailed
from feedback.settings import Settings, load_settings
from lakehouse.checkpoints import last_checkpoint
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.file_lock import locked
from lakehouse.lake import CHECKPOINT_EVERY_COMMITS, Lake, open_lake
from lakehouse.tables import FEEDBACK, QUARANTINE, TableSpec
from lakehouse.upkeep import OPEN_SMALL_FILES, Action, Retention, Work
from lakehouse.upkeep_child import Ended, Job, Started, work_table
from lakehouse.upkeep_run import _Collected, _without, run_upkeep
from lakehouse.upkeep_table import Outcome, perform, read_statistics
from tests.conftest import NOW
from tests.lakehouse.rows import batch, rows

COMMITS = OPEN_SMALL_FILES + 10
RETENTION = Retention(landing_hours=4, history_hours=168, orphan_seconds=3600)
CAP = 1 << 30


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


def today(start: int, end: int) -> LandingBatch:
    """One event per offset, landed on the day that is open now."""
    day = datetime.now(UTC).date()
    given = [{"log_offset": o, "id": f"e{o}", "landed_on": day, "country": "DE"} for o in range(start, end)]
    return LandingBatch({0: start}, {0: end}, rows(FEEDBACK, *given), QUARANTINE.schema.empty_table())


def land(lake: Lake, commits: int, make=batch, start: int = 0) -> LandingCommitter:  # noqa: ANN001
    committer = LandingCommitter(lake, "feedback", 1)
    for number in range(start, start + commits):
        committer.commit(make(number, number + 1), at=datetime.now(UTC))
    return committer


def ids(lake: Lake) -> list[str]:
    return sorted(lake.scan(FEEDBACK).select("id").collect()["id"])


def test_a_pass_leaves_few_files_and_every_row_and_position(settings: Settings, lake: Lake) -> None:
    land(lake, 20)  # of a day that is long closed
    land(lake, COMMITS, today, start=20)
    before = ids(lake)

    report = run_upkeep(settings)

    (table,) = report.tables
    assert report.problems == []
    assert table.files_before == 20 + COMMITS
    assert table.files_after == len(lake.file_uris(FEEDBACK)) == 2
    assert ids(lake) == before
    assert lake.positions("feedback", 1) == {0: 20 + COMMITS}
    assert 0 < report.peak_bytes < report.cap_bytes
    assert read_statistics(lake, FEEDBACK).rewritten_to == NOW.date()


def test_a_second_pass_rewrites_nothing(settings: Settings, lake: Lake) -> None:
    land(lake, COMMITS)
    run_upkeep(settings)
    files = lake.file_uris(FEEDBACK)

    report = run_upkeep(settings)

    assert lake.file_uris(FEEDBACK) == files
    assert report.tables[0].rewritten_files == 0


def test_a_clustered_day_is_in_the_order_of_its_columns(settings: Settings, lake: Lake) -> None:
    given = [
        {"log_offset": n, "id": f"e{n}", "country": "DE" if n % 2 else "FR", "subject": str(n % 3) * 32}
        for n in range(60)
    ]
    lake.append(FEEDBACK, rows(FEEDBACK, *given))

    run_upkeep(settings)

    frame = lake.scan(FEEDBACK).select("country", "subject").collect()
    assert frame.select(pl.struct("country", "subject").rle_id().n_unique()).item() == 6


def test_persons_do_not_stand_in_the_log_after_upkeep_either(settings: Settings, lake: Lake) -> None:
    land(lake, 20)
    run_upkeep(settings)
    lake.table(FEEDBACK).create_checkpoint()

    stored = b"".join(path.read_bytes() for path in Path(lake.uri(FEEDBACK)).rglob("_delta_log/*"))
    assert b"s" * 32 not in stored


def test_a_second_upkeep_is_refused_by_name(settings: Settings, lake: Lake) -> None:
    land(lake, 1)

    with (
        locked(lake.lock_file("upkeep"), what="upkeep", owner="the other one"),
        pytest.raises(UpkeepBusy, match=f"the other one, process {os.getpid()}"),
    ):
        run_upkeep(settings)

    assert run_upkeep(settings).problems == []


class Reader(threading.Thread):
    """Polls the table all along, and holds one version over a whole pass of upkeep."""

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


def test_readers_always_see_each_row_once_while_landing_and_upkeep_go_on(settings: Settings, lake: Lake) -> None:
    land(lake, 1, today)
    reader, lander = Reader(lake), Lander(lake, 1)
    rewritten, deadline = 0, time.monotonic() + 120
    problems: list[str] = []

    reader.start()
    lander.start()
    try:
        while rewritten < 2 * OPEN_SMALL_FILES and time.monotonic() < deadline:
            report = run_upkeep(settings)
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

    run_upkeep(settings)

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
    with locked(lake.lock_file("checkpoint"), what="checkpoints", owner="upkeep"):
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
                file.unlink()  # as upkeep would

    clock = time.time
    monkeypatch.setattr("lakehouse.commit.time.time", lambda: clock() + asleep[0])
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


def test_a_child_that_outgrows_its_cap_at_once_is_an_error_that_names_the_setting(
    settings: Settings, lake: Lake
) -> None:
    land(lake, 1)

    with pytest.raises(UpkeepFailed, match=r"SIGKILL .*upkeep_memory_mb|memory .*upkeep_memory_mb"):
        run_upkeep(msgspec.structs.replace(settings, upkeep_memory_mb=20))

    assert run_upkeep(settings).problems == []


@pytest.mark.parametrize("work", [Work.CLUSTER, Work.SUPERSEDE, Work.COMPACT])
def test_after_a_childs_death_the_next_goes_on_without_what_killed_it(work: Work) -> None:
    job = Job(
        root="/lake", options={}, lock_folder="/run", retention=RETENTION, cap_bytes=CAP, vacuum=True,
        tables=("feedback",),
    )  # fmt: skip
    collected = _Collected()
    first = Action(table="feedback", work=Work.CHECKPOINT)
    fatal = Action(table="feedback", work=work, day=NOW.date(), marks=work is not Work.COMPACT)
    for line in (Started(action=first), Ended(outcome=Outcome(action=first)), Started(action=fatal)):
        collected.add(line)

    then = _without(job, subprocess.CompletedProcess([], -9, stderr=b""), collected)

    assert first.name in then.skip
    assert (fatal.name in then.plain, fatal.name in then.skip) == (work is not Work.COMPACT, work is Work.COMPACT)
    assert "1024 MiB (upkeep_memory_mb)" in collected.problems[0]


def test_a_day_that_could_not_be_rewritten_is_not_passed_over_by_the_mark_of_a_later_one(
    lake: Lake, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    days = [NOW.date() - timedelta(days=back) for back in (2, 1)]
    for offset, day in enumerate(days):
        given = rows(FEEDBACK, {"log_offset": offset, "id": f"e{offset}", "landed_on": day})
        lake.append(FEEDBACK, given)
    ended = Action(table="feedback", work=Work.CLUSTER, day=days[0])
    job = Job(
        root=lake.root, options={}, lock_folder="/run", retention=RETENTION, cap_bytes=CAP, vacuum=False,
        tables=("feedback",), skip=(ended.name,),
    )  # fmt: skip

    work_table(lake, "feedback", job)
    assert read_statistics(lake, FEEDBACK).rewritten_to is None
    assert b"cluster" not in capsysbinary.readouterr().out

    work_table(lake, "feedback", msgspec.structs.replace(job, skip=()))
    assert read_statistics(lake, FEEDBACK).rewritten_to == days[1]


def test_stopping_ends_a_pass_and_its_child(settings: Settings, lake: Lake) -> None:
    land(lake, 3)

    started = time.monotonic()
    run_upkeep(settings, stopped=lambda: True)

    assert time.monotonic() - started < 10
    assert run_upkeep(settings).problems == []


def test_old_log_entries_and_tombstones_go_but_positions_stay(settings: Settings, lake: Lake) -> None:
    land(lake, 30)
    run_upkeep(settings)
    log = Path(lake.uri(FEEDBACK), "_delta_log")
    lake.table(FEEDBACK).create_checkpoint()
    old = time.time() - timedelta(hours=5).total_seconds()
    for entry in log.glob("*.json"):
        os.utime(entry, (old, old))

    report = run_upkeep(settings)

    assert report.tables[0].commits_removed > 20
    assert lake.positions("feedback", 1) == {0: 30}
    assert lake.row_count(FEEDBACK) == 30


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    from feedback.errors import SettingsError

    with pytest.raises(SettingsError, match="upkeep_orphan_hours"):
        load_settings(tmp_path, upkeep_orphan_hours=0.1)


def test_a_log_far_behind_its_last_checkpoint_fits_under_the_cap(settings: Settings, lake: Lake) -> None:
    """Its files are read by hundreds of threads, whose stacks are reserved, not used."""
    land(lake, 1)
    log = Path(lake.uri(FEEDBACK), "_delta_log")
    filler = '{"commitInfo":{"timestamp":1,"operation":"WRITE","operationParameters":{}}}'
    for version in range(lake.table(FEEDBACK).version() + 1, 2_000):
        (log / f"{version:020}.json").write_text(filler, encoding="utf-8")

    report = run_upkeep(settings)

    assert report.problems == []
    assert report.tables[0].checkpoints == 1
    assert report.peak_bytes < report.cap_bytes


def test_a_table_that_cannot_be_read_is_named_and_the_others_are_worked_all_the_same(
    settings: Settings, lake: Lake
) -> None:
    land(lake, 20)
    lake.append(QUARANTINE, rows(QUARANTINE, {"log_offset": 1}))
    (Path(lake.uri(QUARANTINE)) / "_delta_log" / f"{0:020}.json").write_text("{broken", encoding="utf-8")

    report = run_upkeep(settings)

    (problem,) = report.problems
    assert problem.startswith("quarantine: ")
    assert [(t.table, t.files_after) for t in report.tables] == [("feedback", 1)]


def test_the_peak_is_the_childs_own_not_what_its_parent_had(settings: Settings, lake: Lake) -> None:
    land(lake, 2)
    ballast = bytearray(b"x") * (700 << 20)

    report = run_upkeep(settings)

    assert report.peak_bytes < len(ballast)
