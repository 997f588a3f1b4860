"""The ledger of replays: written down before it happens, one writer at a time, one row for each replayed row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from feedback.errors import ReplayInProgress
from lakehouse.lake import Lake
from lakehouse.landed.replays import PlannedLine, ReplayLedger
from lakehouse.tables.replays import REPLAYS
from lakehouse.tables.spec import Column
from tests.conftest import NOW

LINES = (PlannedLine((0, 7, 2), "undecodable", '{"id":"a"}'), PlannedLine((1, 3, 0), "undecodable", '{"id":"b"}'))
LATER = NOW + timedelta(seconds=5)


def test_a_plan_is_open_until_it_is_finished_and_then_only_says_where_its_rows_went(lake: Lake) -> None:
    ledger = ReplayLedger(lake)
    assert ledger.open_plans() == []

    plan = ledger.plan(LINES, at=NOW)
    assert ReplayLedger(lake).open_plans() == [plan]
    ledger.finish(plan, [(2, 50, 0), (3, 60, 1)], at=LATER)

    assert ReplayLedger(lake).open_plans() == []
    rows = ledger.replays().sort("log_partition").collect()
    assert rows.select("log_partition", "log_offset", "log_index", "to_partition", "to_offset", "to_index").rows() == [
        (0, 7, 2, 2, 50, 0),
        (1, 3, 0, 3, 60, 1),
    ]
    assert rows["line"].null_count() == 2
    assert set(rows["replayed_at"]) == {LATER}


def test_finishing_one_plan_leaves_another_open(lake: Lake) -> None:
    ledger = ReplayLedger(lake)
    first = ledger.plan(LINES[:1], at=NOW)
    second = ledger.plan(LINES[1:], at=NOW)

    ledger.finish(first, [(2, 50, 0)], at=LATER)

    assert ledger.open_plans() == [second]


def test_a_row_is_planned_once(lake: Lake) -> None:
    ReplayLedger(lake).plan(LINES[:1], at=NOW)

    with pytest.raises(ReplayInProgress, match="start again"):
        ReplayLedger(lake).plan(LINES, at=NOW)


def test_of_two_replays_that_plan_at_once_one_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = ReplayLedger(lake), ReplayLedger(lake)
    ensure = lake.ensure

    def ensure_while_another_plans(spec):  # noqa: ANN001, ANN202
        table = ensure(spec)
        monkeypatch.setattr(lake, "ensure", ensure)
        quick.plan(LINES, at=NOW)
        return table

    monkeypatch.setattr(lake, "ensure", ensure_while_another_plans)

    with pytest.raises(ReplayInProgress, match="under way"):
        slow.plan(LINES, at=NOW)
    assert len(quick.open_plans()) == 1


def test_the_ledger_goes_on_where_a_newer_release_has_widened_it(lake: Lake) -> None:
    ledger = ReplayLedger(lake)
    plan = ledger.plan(LINES, at=NOW)
    lake.ensure(
        replace(
            REPLAYS,
            version=2,
            columns=(*REPLAYS.columns, Column("why", pa.string(), "why", added_in=2, personal=False)),
        )
    )

    ledger.finish(plan, [(2, 50, 0), (3, 60, 1)], at=LATER)

    assert ledger.replays().collect().height == 2
