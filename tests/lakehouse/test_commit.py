from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from feedback.errors import StalePosition
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.landed.audit import AuditReport, audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.lakehouse.rows import batch, rows


class Crash(Exception):
    """Raised by a fault hook where a process would have died."""


def crash_at(point: str):  # noqa: ANN201
    def fault(here: str) -> None:
        if here == point:
            raise Crash

    return fault


def committer(lake: Lake, point: str = "") -> LandingCommitter:
    return LandingCommitter(lake, "feedback", 2, fault=crash_at(point))


def audited(lake: Lake, end: int = 0) -> AuditReport:
    return audit(lake, "feedback", bounds={0: (0, end), 1: (0, 0)})


def test_rows_and_positions_arrive_together(lake: Lake) -> None:
    assert committer(lake).commit(batch(0, 5, quarantine=(3,)), at=NOW)

    assert lake.positions("feedback", 2) == {0: 5, 1: 0}
    report = audited(lake, 5)
    assert (report.holds, report.landed, report.quarantined) == (True, 4, 1)


def test_a_batch_committed_twice_is_there_once(lake: Lake) -> None:
    first = committer(lake)
    first.commit(batch(0, 5), at=NOW)

    assert not first.commit(batch(0, 5), at=NOW)
    assert not committer(lake).commit(batch(0, 5), at=NOW)
    assert audited(lake, 5).landed == 5


def test_a_worker_that_slept_through_anothers_commit_is_refused(lake: Lake) -> None:
    sleeper, other = committer(lake), committer(lake)
    sleeper.positions()
    other.commit(batch(0, 3), at=NOW)

    with pytest.raises(StalePosition, match="batch starts at 0, committed is 3"):
        sleeper.commit(batch(0, 5), at=NOW)

    assert audited(lake, 5).holds


def test_a_batch_that_would_leave_a_gap_is_refused(lake: Lake) -> None:
    with pytest.raises(StalePosition, match="batch starts at 7, committed is 0"):
        committer(lake).commit(batch(7, 9), at=NOW)


@pytest.mark.parametrize("point", ["after data file", "between tables", "after commit"])
def test_a_crash_at_any_point_neither_loses_nor_doubles(lake: Lake, point: str) -> None:
    with pytest.raises(Crash):
        committer(lake, point).commit(batch(0, 6, quarantine=(1, 4)), at=NOW)

    committer(lake).commit(batch(0, 6, quarantine=(1, 4)), at=NOW)

    report = audited(lake, 6)
    assert (report.holds, report.landed, report.quarantined) == (True, 4, 2)


def test_quarantine_that_is_ahead_is_not_repeated_in_a_larger_batch(lake: Lake) -> None:
    with pytest.raises(Crash):
        committer(lake, "between tables").commit(batch(0, 4, quarantine=(1,)), at=NOW)

    committer(lake).commit(batch(0, 8, quarantine=(1, 6)), at=NOW)

    report = audited(lake, 8)
    assert (report.holds, report.landed, report.quarantined) == (True, 6, 2)


def test_foreign_writes_in_between_never_stop_landing(lake: Lake) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3), at=NOW)
    table = DeltaTable(lake.uri(FEEDBACK))
    table.delete("id = 'e0-1'")
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    table.optimize.compact()

    assert worker.commit(batch(3, 6), at=NOW)
    assert lake.positions("feedback", 2) == {0: 6, 1: 0}


def test_the_audit_names_a_gap_a_double_and_a_short_record(lake: Lake) -> None:
    committer(lake).commit(batch(0, 5), at=NOW)
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "twin", "log_offset": 2}))
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "stray", "log_offset": 9, "log_count": 3}))
    DeltaTable(lake.uri(FEEDBACK)).delete("log_offset = 3")

    report = audited(lake, 5)

    found = {(fault.kind, fault.offset) for fault in report.faults}
    assert {("double", 2), ("stray", 9), ("gap", 9), ("gap", 3)} <= found
    assert not report.holds


def test_the_audit_sees_positions_that_are_committed_apart_from_their_rows(lake: Lake) -> None:
    committer(lake).commit(batch(0, 5), at=NOW)
    broken = [Transaction("landing/feedback/0", 8)]
    write_deltalake(
        DeltaTable(lake.uri(FEEDBACK)),
        rows(FEEDBACK, {"id": "e0-5", "log_offset": 5}),
        mode="append",
        commit_properties=CommitProperties(app_transactions=broken),
    )

    report = audited(lake, 8)

    assert [(f.kind, f.offset) for f in report.faults] == [("gap", 6), ("gap", 7)]


def test_quarantine_is_its_own_table_with_the_raw_line(lake: Lake) -> None:
    committer(lake).commit(batch(0, 2, quarantine=(0,)), at=NOW)

    assert lake.scan(QUARANTINE).select("raw", "code").collect().rows() == [("{", "undecodable")]


def test_a_torn_listing_of_the_log_neither_stops_nor_doubles_a_commit(lake: Lake) -> None:
    worker = committer(lake)
    worker.commit(batch(0, 3), at=NOW)
    log = Path(lake.uri(FEEDBACK), "_delta_log")
    ahead = log / f"{lake.table(FEEDBACK).version() + 3:020}.json"  # two versions on: the one between is missing
    ahead.write_text(json.dumps({"commitInfo": {"timestamp": 1}}))
    timer = threading.Timer(0.1, ahead.unlink)
    timer.start()

    worker.commit(batch(3, 6), at=NOW)

    timer.join()
    assert worker.commit(batch(6, 9), at=NOW)
    assert audited(lake, 9).holds
    assert audited(lake, 9).landed == 9
