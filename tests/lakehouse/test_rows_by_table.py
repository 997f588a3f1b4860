"""A batch is rows by table: whatever is cut short and judged anew, each event of the log is one row of one table."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.errors import ContractViolation, StalePosition
from lakehouse.commit import LandingBatch, LandingCommitter, has_landed, left_to_write
from lakehouse.lake import Lake
from lakehouse.landed.audit import audit
from lakehouse.landed.positions import spans
from tests.conftest import NOW
from tests.lakehouse.rows import batch
from tests.lakehouse.spam_table import Judged, declare, die_in_commit, judged_batch, withdraw
from tests.support.processes import context

NAMES = ("spam", "quarantine", "feedback")
MOST = 8
"""Offsets in a batch, at most."""


@dataclass
class Table:
    """What the decision is about: the rows of a table and its position."""

    offsets: list[int] = field(default_factory=list)
    position: int = 0


def table_of(offsets: list[int]) -> pa.Table:
    frame = pl.DataFrame({"log_partition": [0] * len(offsets), "log_offset": offsets, "log_index": [0] * len(offsets)})
    return frame.cast({"log_partition": pl.Int32, "log_offset": pl.Int64, "log_index": pl.Int32}).to_arrow()


def land(tables: Mapping[str, Table], end: int, judged: list[str], *, commits: int) -> None:
    """Land one batch from where reading resumes, as the committer does; it dies after so many commits."""
    start = tables["feedback"].position
    of = dict(zip(range(start, end), judged, strict=False))
    rows = {name: table_of([offset for offset, table in of.items() if table == name]) for name in NAMES}
    batch = LandingBatch({0: start}, {0: end}, rows)
    assert not has_landed(batch, {0: start}, log_name="feedback")
    others = {name: table for name, table in tables.items() if name != "feedback"}
    standing = [
        table_of([o for o in table.offsets if first <= o < last])
        for table in others.values()
        for first, last in spans(batch.start, {0: table.position}).values()
    ]
    ready = left_to_write(batch, pl.DataFrame(pl.from_arrow(pa.concat_tables([table_of([]), *standing]))))
    for name in [*ready.others, "feedback"][:commits]:
        tables[name].offsets += ready.rows[name]["log_offset"].to_pylist()
        tables[name].position = max(end, tables[name].position)


attempts = st.tuples(
    st.integers(1, MOST), st.lists(st.sampled_from(NAMES), min_size=MOST, max_size=MOST), st.integers(0, len(NAMES))
)


@settings(deadline=None)
@given(st.lists(attempts, max_size=12))
def test_wherever_attempts_die_and_however_each_one_judges_nothing_is_lost_or_doubled(
    tried: list[tuple[int, list[str], int]],
) -> None:
    tables = {name: Table() for name in NAMES}
    for size, judged, commits in [*tried, (MOST, ["feedback"] * MOST, len(NAMES))]:
        land(tables, tables["feedback"].position + size, judged, commits=commits)
    position = tables["feedback"].position

    seen = Counter(offset for table in tables.values() for offset in table.offsets if offset < position)

    assert seen == Counter(range(position))
    assert max(tables["feedback"].offsets, default=-1) < position


@pytest.mark.parametrize(("start", "end", "stale"), [(2, 4, True), (0, 2, False), (0, 3, False), (1, 5, True)])
def test_a_batch_is_there_before_or_starts_at_the_position_or_is_stale(start: int, end: int, stale: bool) -> None:
    batch = LandingBatch({0: start}, {0: end}, {})
    if stale:
        with pytest.raises(StalePosition, match=f"batch starts at {start}, committed is 3"):
            has_landed(batch, {0: 3}, log_name="feedback")
    else:
        assert has_landed(batch, {0: 3}, log_name="feedback")


@pytest.fixture
def spam() -> Iterator[None]:
    declare()
    yield
    withdraw()


class Cut(Exception):
    """Where a process would have died."""


FIRST: Judged = {0: "spam", 1: "quarantine", 2: "feedback", 3: "spam", 4: "quarantine"}


def moved_on(by: int) -> Judged:
    """Every event in another table than in the first attempt."""
    return {offset: NAMES[(NAMES.index(name) + by) % len(NAMES)] for offset, name in FIRST.items()}


@pytest.mark.usefixtures("spam")
@pytest.mark.parametrize(("passes", "by"), list(product((1, 2), (1, 2))))
def test_rows_that_change_table_between_two_commits_of_a_batch_stay_one_row_each(
    lake: Lake, passes: int, by: int
) -> None:
    left = [passes]

    def cut(point: str) -> None:
        left[0] -= point == "between tables"
        if left[0] == 0:
            raise Cut

    with pytest.raises(Cut):
        LandingCommitter(lake, "feedback", 1, fault=cut).commit(judged_batch(FIRST), at=NOW)
    worker = LandingCommitter(lake, "feedback", 1)
    again = moved_on(by)
    worker.commit(judged_batch({offset: again[offset] for offset in (0, 1)}), at=NOW)
    worker.commit(judged_batch({**{offset: again[offset] for offset in (2, 3, 4)}, 5: "spam"}), at=NOW)

    report = audit(lake, "feedback", bounds={0: (0, 6)})
    assert (report.holds, report.accounted) == (True, 6), report.faults


@pytest.mark.usefixtures("spam")
def test_a_process_killed_between_the_second_table_and_the_third_loses_and_doubles_nothing(
    lake: Lake,
) -> None:
    child = context().Process(target=die_in_commit, args=(lake.root, FIRST, "between tables", 2), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert lake.positions("feedback", 1) == {0: 0}

    assert LandingCommitter(lake, "feedback", 1).commit(judged_batch(moved_on(1)), at=NOW)

    report = audit(lake, "feedback", bounds={0: (0, 5)})
    assert (report.holds, report.landed, report.codes) == (True, 0, {"spam": 3, "undecodable": 2})


def test_a_table_that_nobody_declared_is_refused_by_name(lake: Lake) -> None:
    batch = judged_batch({0: "feedback"})
    unknown = LandingBatch(batch.start, batch.end, {**batch.rows, "ham": batch.feedback})
    with pytest.raises(ContractViolation, match="'ham'"):
        LandingCommitter(lake, "feedback", 1).commit(unknown, at=NOW)


@pytest.mark.parametrize(
    "history",
    [
        [(3, 2, "between tables"), (5, 3, "after data file"), (6, 4, "after data file"), (6, 6, "")],
        [(3, 1, "between tables"), (4, 2, "between tables"), (5, 4, "after data file"), (6, 6, "")],
    ],
    ids=["a refused commit leaves the position as it was", "the snapshot at hand is old and ahead"],
)
def test_two_workers_that_overtake_each_other_while_a_table_is_ahead_double_nothing(
    lake: Lake, history: list[tuple[int, int, str]]
) -> None:
    """Each round one worker lands up to an offset; in the middle of it the other one lands up to another."""
    overtake: list[tuple[str, LandingBatch]] = []

    def overtaken(point: str) -> None:
        if overtake and overtake[0][0] == point:
            other.commit(overtake.pop()[1], at=NOW)

    worker = LandingCommitter(lake, "feedback", 1, fault=overtaken)
    other = LandingCommitter(lake, "feedback", 1)
    start = 0
    for end, moved_to, point in history:
        poison = tuple(range(start, start + 8, 2))
        if point:
            overtake.append((point, batch(start, moved_to, quarantine=poison)))
        with suppress(StalePosition):
            worker.commit(batch(start, end, quarantine=poison), at=NOW)
        start = moved_to

    assert audit(lake, "feedback", bounds={0: (0, start)}).holds
