"""Known ids: across restarts, takeovers and batches that are repeated."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import beam_jobs.stages.deduplication.landed_ids
from beam_jobs.stages.deduplication.landed_ids import HashSet, LandedIds
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from tests.conftest import NOW
from tests.lakehouse.rows import batch
from tests.support.calls import counted_calls

TODAY = NOW.date()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def land(lake: Lake, start: int, end: int) -> None:
    LandingCommitter(lake, "feedback", 1).commit(batch(start, end), at=NOW)


def events(start: int, end: int) -> pl.DataFrame:
    frame = pl.from_arrow(batch(start, end).feedback)
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_a_hash_set_answers_as_a_set_does() -> None:
    rng = np.random.default_rng(7)
    numbers = rng.integers(0, 50_000, size=(40, 3_000), dtype=np.uint64)
    known: set[int] = set()
    found = HashSet()

    for row in numbers:
        distinct = np.unique(row)
        new = found.add(distinct * np.uint64(0x9E3779B97F4A7C15), distinct)
        assert new.tolist() == [int(n) not in known for n in distinct]
        known.update(distinct.tolist())

    assert len(found) == len(known)


def test_an_id_is_new_once(lake: Lake) -> None:
    ids = LandedIds(30)
    ids.prepare(lake, {0: 0}, TODAY)

    twice = pl.concat([events(0, 3), events(1, 4)])

    assert ids.first_seen(twice, {0: 6}).tolist() == [True, True, True, False, False, True]
    assert ids.first_seen(events(0, 4), {0: 10}).tolist() == [False] * 4


def test_what_landed_before_the_start_is_known(lake: Lake) -> None:
    land(lake, 0, 5)
    ids = LandedIds(30)

    ids.prepare(lake, {0: 5}, TODAY)

    assert ids.first_seen(events(3, 7), {0: 9}).tolist() == [False, False, True, True]


def test_a_batch_that_is_repeated_after_a_failed_commit_is_not_its_own_duplicate(lake: Lake) -> None:
    ids = LandedIds(30)
    ids.prepare(lake, {0: 0}, TODAY)
    ids.first_seen(events(0, 5), {0: 5})  # and its commit fails

    ids.prepare(lake, {0: 0}, TODAY)

    assert ids.first_seen(events(0, 5), {0: 5}).all()


def test_what_another_worker_landed_meanwhile_is_known_when_the_partition_comes_back(lake: Lake) -> None:
    ids = LandedIds(30)
    ids.prepare(lake, {0: 0}, TODAY)
    ids.first_seen(events(0, 3), {0: 3})
    land(lake, 0, 3)
    land(lake, 3, 6)

    ids.prepare(lake, {0: 6}, TODAY)

    assert ids.first_seen(events(2, 8), {0: 12}).tolist() == [False] * 4 + [True] * 2


def test_partitions_are_known_apart(lake: Lake) -> None:
    ids = LandedIds(30)
    ids.prepare(lake, {0: 0, 1: 0}, TODAY)
    both = pl.concat([events(0, 2), events(0, 2).with_columns(log_partition=pl.lit(1, pl.Int32), subject=pl.lit("x"))])
    assert ids.first_seen(both, {0: 2, 1: 2}).all()

    ids.prepare(lake, {0: 0, 1: 2}, TODAY)

    assert ids.first_seen(both, {0: 2, 1: 4}).tolist() == [True, True, False, False]


def test_an_id_older_than_the_window_may_come_again(lake: Lake) -> None:
    land(lake, 0, 1)
    ids = LandedIds(30)

    ids.prepare(lake, {0: 1}, TODAY + timedelta(days=31))

    assert ids.first_seen(events(0, 1), {0: 2}).all()


def test_a_batch_without_events_moves_on(lake: Lake) -> None:
    ids = LandedIds(30)
    ids.prepare(lake, {0: 0}, date.min)

    assert len(ids.first_seen(events(0, 0), {0: 2})) == 0


def test_around_midnight_nothing_is_read_again_for_batches_that_take_turns(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = LandedIds(30)
    reads = counted_calls(monkeypatch, beam_jobs.stages.deduplication.landed_ids, "landed_hashes")

    for at, days_before in enumerate((1, 0, 1, 0, 1)):
        ids.prepare(lake, {0: at}, {0: TODAY - timedelta(days=days_before)})
        ids.first_seen(events(at, at + 1), {0: at + 1})
    assert len(reads) == 2

    ids.prepare(lake, {0: 5}, {0: TODAY - timedelta(days=9)})  # a clock that was set back knows more ids
    assert len(reads) == 3
