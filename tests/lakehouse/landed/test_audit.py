"""What lands again after the window is counted and no fault; within the window it is one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake
from lakehouse.landed.audit import AuditReport, audit
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import rows

WINDOW_DAYS = 30


def audited_after(lake: Lake, *days: int) -> AuditReport:
    """The audit of a lake in which one event landed on each of these days, and another one beside it."""
    committer = LandingCommitter(lake, "feedback", 1)
    for offset, day in enumerate(days):
        at = {"landed_on": NOW.date() + timedelta(days=day), "log_offset": offset, "log_count": 2}
        landed = rows(FEEDBACK, {"id": "e", **at}, {"id": f"other-{offset}", **at, "log_index": 1})
        committer.commit(LandingBatch({0: offset}, {0: offset + 1}, {"feedback": landed}), at=NOW)
    return audit(lake, "feedback", bounds={0: (0, len(days))}, window_days=WINDOW_DAYS)


@pytest.mark.parametrize(("days", "again"), [((0,), 0), ((0, 31), 1), ((0, 31, 62), 2)])
def test_repeats_after_the_window_are_counted_and_the_audit_holds(
    lake: Lake, days: tuple[int, ...], again: int
) -> None:
    report = audited_after(lake, *days)

    assert (report.holds, report.landed_again, report.landed) == (True, again, 2 * len(days))


@pytest.mark.parametrize("days", [(0, 0), (0, 30), (0, 31, 40)])
def test_a_repeat_within_the_window_is_a_double_with_its_place(lake: Lake, days: tuple[int, ...]) -> None:
    report = audited_after(lake, *days)

    (fault,) = report.faults
    assert not report.holds
    assert (fault.kind, fault.partition, fault.offset, fault.index) == ("double", 0, len(days) - 1, 0)
    assert "event id 'e' landed again after" in fault.detail
