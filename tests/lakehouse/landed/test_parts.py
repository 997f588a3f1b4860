from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lakehouse.landed.parts
import online.port
from feedback.errors import ServiceError
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.landed.parts import joined, landed_parts, range_length, read_part
from online.port import PUSHED_COLUMNS, catch_up, push_commit
from online.sqlite.store import SqliteOnlineStore
from tests.conftest import NOW
from tests.lakehouse.rows import batch

DAY = date(2026, 3, 1)
PERSON = "s" * 32


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two partitions of thirty rows each, in ten commits; two records in ten were refused. Parts have five rows."""
    monkeypatch.setattr(online.port, "PART_ROWS", 5)
    lake = Lake(str(tmp_path / "lake"))
    committer = LandingCommitter(lake, "feedback", 2)
    for start in range(0, 30, 6):
        for partition in (0, 1):
            committer.commit(batch(start, start + 6, quarantine=(start + 1,), partition=partition), at=NOW)
    return lake


class RecordingStore(SqliteOnlineStore):
    """Notes how many rows each push had; stops answering after some pushes, or lets another worker push before one."""

    def __init__(self, path: Path, *, answers: int = 1_000) -> None:
        super().__init__(path)
        self.pushed: list[int] = []
        self.answers = answers

    def push(self, events: pl.DataFrame, positions: dict[int, int]) -> None:
        if len(self.pushed) >= self.answers:
            raise ServiceError("the store does not answer")
        super().push(events, positions)
        self.pushed.append(events.height)


def places(store: SqliteOnlineStore) -> list[tuple[int, int]]:
    return sorted((event.log_partition, event.log_offset) for event in store.recent(PERSON))


LANDED = [(partition, offset) for partition in (0, 1) for offset in range(30) if offset % 6 != 1]


def test_a_lost_store_is_rebuilt_in_parts(tmp_path: Path, lake: Lake) -> None:
    store = RecordingStore(tmp_path / "online.db")

    assert catch_up(store, lake, "feedback", 2) == 50

    assert len(store.pushed) >= 10
    assert max(store.pushed) <= 5
    assert places(store) == LANDED
    assert store.positions() == {0: 30, 1: 30}
    assert catch_up(store, lake, "feedback", 2) == 0


def test_a_rebuild_that_is_cut_short_goes_on_where_it_ended(tmp_path: Path, lake: Lake) -> None:
    first = RecordingStore(tmp_path / "online.db", answers=4)
    with pytest.raises(ServiceError):
        catch_up(first, lake, "feedback", 2)
    first.close()

    again = RecordingStore(tmp_path / "online.db")

    assert 0 < again.positions()[0] < 30
    assert catch_up(again, lake, "feedback", 2) == 50 - sum(first.pushed)
    assert places(again) == LANDED


def test_a_commit_that_another_worker_pushes_during_a_rebuild_is_in_once(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = RecordingStore(tmp_path / "online.db"), RecordingStore(tmp_path / "online.db")
    news = batch(30, 33, partition=0)
    read = online.port.read_part
    seen: list[int] = []

    def overtaken(*given) -> pl.DataFrame:  # noqa: ANN002
        seen.append(1)
        if len(seen) == 3:
            LandingCommitter(lake, "feedback", 2).commit(news, at=NOW)
            frame = pl.from_arrow(news.feedback)
            assert isinstance(frame, pl.DataFrame)
            push_commit(other, lake, frame, start=news.start, end=news.end)
        return read(*given)

    monkeypatch.setattr(online.port, "read_part", overtaken)
    catch_up(store, lake, "feedback", 2)

    assert places(store) == sorted([*LANDED, (0, 30), (0, 31), (0, 32)])
    assert store.positions() == {0: 33, 1: 30}


def test_parts_of_positions_beyond_every_row_move_the_positions_alone(tmp_path: Path, lake: Lake) -> None:
    (part,) = landed_parts(lake, {0: (30, 90)})

    assert (part.partition, part.start, part.end, part.rows) == (0, 30, 90, 0)
    assert read_part(lake, part, PUSHED_COLUMNS).is_empty()
    assert [p.end for p in landed_parts(Lake(str(tmp_path / "none")), {0: (0, 7), 1: (2, 3)})] == [7, 3]


def test_a_partition_longer_than_its_ranges_is_counted_by_ranges(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakehouse.landed.parts, "RANGES", 4)

    parts = landed_parts(lake, {0: (0, 30)}, part_rows=10)

    assert [(part.start, part.end) for part in parts] == [(0, 8), (8, 16), (16, 24), (24, 30)]
    assert sum(part.rows for part in parts) == sum(read_part(lake, part, ["log_offset"]).height for part in parts) == 25


ranges = st.dictionaries(st.integers(0, 20), st.integers(1, 9), max_size=12)


@given(ranges, st.integers(0, 3), st.integers(1, 12))
def test_parts_cover_their_span_without_a_gap_and_hold_no_more_than_they_may(
    counts: dict[int, int], start: int, part_rows: int
) -> None:
    span = (start, start + 21)
    given = [(number, rows, DAY, DAY) for number, rows in sorted(counts.items())]

    parts = list(joined(3, span, given, part_rows=part_rows))

    assert range_length(span) == 1
    assert (parts[0].start, parts[-1].end) == span
    assert all(one.end == other.start for one, other in pairwise(parts))
    assert sum(part.rows for part in parts) == sum(counts.values())
    for part in parts:
        within = [rows for number, rows in counts.items() if part.start <= start + number < part.end]
        assert part.rows == sum(within)
        assert part.rows <= part_rows or len(within) == 1
