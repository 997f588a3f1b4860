"""The fence: commits of a worker that was paused, whose answer was lost, or whose stages decide anew on a repeat."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from feedback.errors import LakeError, StalePosition
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.lakehouse.maintenance.sleeper_child import commit_in_sleep
from tests.lakehouse.rows import batch
from tests.support.processes import Child, context

TRIES = 100
POINTS = ("before commit", "after data file", "between tables")


def committer(lake: Lake, **more: Any) -> LandingCommitter:
    return LandingCommitter(lake, "feedback", 1, **more)


def audited(lake: Lake, end: int) -> tuple[bool, int, int]:
    report = audit(lake, "feedback", bounds={0: (0, end)})
    return report.holds, report.landed, report.quarantined


def test_a_worker_stopped_in_mid_batch_whose_partition_moved_is_refused_100_times_of_100(
    lake: Lake, tmp_path: Path, record_property: Any
) -> None:
    seed = random.randrange(1 << 30)
    record_property("seed", seed)
    rng = random.Random(seed)
    mine, theirs = context().Pipe()
    sleeper = Child("sleeper", commit_in_sleep, str(tmp_path / "lake"), theirs, output=tmp_path / "sleeper.out")
    other = committer(lake)
    start = refused = 0
    try:
        for number in range(TRIES):
            end, moved_to = start + 3, start + rng.randint(1, 5)
            poison = tuple(range(start, start + 8, 2))
            mine.send((start, end, poison, POINTS[number % len(POINTS)]))
            await_stopped(sleeper)

            assert other.commit(batch(start, moved_to, quarantine=poison), at=NOW)
            sleeper.signal(signal.SIGCONT)

            refused += mine.recv() == ("there before" if moved_to >= end else "stale")
            start = moved_to
    finally:
        sleeper.kill()
    assert refused == TRIES
    other.commit(batch(start, start + 8, quarantine=tuple(range(start, start + 8, 2))), at=NOW)
    holds, landed, quarantined = audited(lake, start + 8)
    assert holds
    assert landed + quarantined == start + 8


def await_stopped(child: Child) -> None:
    deadline = time.monotonic() + 60
    while not child.stopped:
        assert child.alive
        assert time.monotonic() < deadline, "it did not stop itself"
        time.sleep(0.001)


@pytest.mark.parametrize("spec", [FEEDBACK, QUARANTINE], ids=lambda spec: spec.name)
@pytest.mark.parametrize("succeeds", [True, False], ids=["after it succeeded", "before it began"])
def test_a_commit_that_raises_is_compared_and_lands_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, spec: Any, succeeds: bool
) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3, quarantine=(1,)), at=NOW)
    plain, raised = DeltaTable.create_write_transaction, []

    def raising(table: DeltaTable, *arguments: Any, **more: Any) -> None:
        if raised or not table.table_uri.rstrip("/").endswith(spec.name):
            return plain(table, *arguments, **more)
        raised.append(True)
        if succeeds:
            plain(table, *arguments, **more)
        raise CommitFailedError("the answer was lost")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", raising)

    worker.commit(batch(3, 6, quarantine=(4,)), at=NOW)
    worker.commit(batch(6, 9, quarantine=(7,)), at=NOW)

    assert raised
    assert audited(lake, 9) == (True, 6, 3)


def test_a_store_that_fails_is_an_error_of_ours_and_the_next_try_lands(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3), at=NOW)
    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.parquet.write_table", _no_room)
        with pytest.raises(LakeError, match="No space left"):
            worker.commit(batch(3, 6), at=NOW)

    assert worker.commit(batch(3, 6), at=NOW)
    assert audited(lake, 6) == (True, 6, 0)


def _no_room(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("first", "second", "landed", "quarantined"),
    [((1,), (), 5, 1), ((1,), (1, 2), 4, 2), ((1, 3), (2, 3), 3, 3)],
    ids=["refused no more", "refused more", "refused otherwise"],
)
def test_a_repeat_that_judges_otherwise_than_the_attempt_that_was_cut_short_neither_loses_nor_doubles(
    lake: Lake, first: tuple[int, ...], second: tuple[int, ...], landed: int, quarantined: int
) -> None:
    class Cut(Exception):
        pass

    def cut(point: str) -> None:
        if point == "between tables":
            raise Cut

    with pytest.raises(Cut):
        committer(lake, fault=cut).commit(batch(0, 4, quarantine=first), at=NOW)

    committer(lake).commit(batch(0, 6, quarantine=second), at=NOW)

    assert audited(lake, 6) == (True, landed, quarantined)


def test_a_stale_batch_writes_nothing_to_any_table(lake: Lake) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3, quarantine=(1,)), at=NOW)
    before = {spec.name: lake.version(spec) for spec in (FEEDBACK, QUARANTINE)}

    with pytest.raises(StalePosition):
        worker.commit(batch(1, 6, quarantine=(4,)), at=NOW)

    assert {spec.name: lake.version(spec) for spec in (FEEDBACK, QUARANTINE)} == before


def test_an_audit_of_a_moment_between_two_tables_holds(lake: Lake) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3), at=NOW)
    seen = []
    committer(lake, fault=lambda point: seen.append(audited(lake, 6)) if point == "between tables" else None).commit(
        batch(3, 6, quarantine=(4,)), at=NOW
    )

    assert seen == [(True, 3, 0)]


def test_workers_that_make_the_tables_at_once_both_get_them(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = DeltaTable.create

    def beaten(*arguments: Any, **more: Any) -> DeltaTable:
        plain(*arguments, **more)
        raise CommitFailedError("version 0 exists")

    monkeypatch.setattr(DeltaTable, "create", beaten)

    assert committer(lake).commit(batch(0, 3, quarantine=(1,)), at=NOW)
    assert audited(lake, 3) == (True, 2, 1)
