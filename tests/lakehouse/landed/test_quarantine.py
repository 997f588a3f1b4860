"""The quarantine as people and replays read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from feedback.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.landed.quarantine import MAX_RAW_BYTES, RAW_SHOWN, condition, groups, read_parts, select_rows
from lakehouse.landed.replays import PlannedLine, ReplayLedger
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.lakehouse.rows import rows


def quarantined(lake: Lake, *given: dict[str, Any]) -> None:
    lake.append(QUARANTINE, rows(QUARANTINE, *({"log_offset": n, **row} for n, row in enumerate(given))))


def test_an_empty_quarantine_has_no_groups_and_nothing_to_replay(lake: Lake) -> None:
    assert groups(lake) == []
    assert select_rows(lake, code="undecodable").rows.is_empty()


def test_rows_are_counted_by_code_and_source_with_the_newest_as_examples(lake: Lake) -> None:
    broken = {"code": "contract_broken", "source": "app"}
    quarantined(
        lake,
        {**broken, "raw": "x" * (RAW_SHOWN + 1)},
        {**broken, "raw": "y", "landed_on": NOW.date() + timedelta(days=1)},
        {**broken, "source": "web"},
        {"code": "duplicate", "raw": None},
        {**broken, "raw": "z"},
    )
    ledger = ReplayLedger(lake)
    ledger.finish(ledger.plan([PlannedLine((0, 1, 0), "contract_broken", "y")], at=NOW), [(2, 9, 4)], at=NOW)

    app, web, duplicates = sorted(groups(lake, examples=2), key=lambda group: (group.code, group.source or ""))

    assert (app.code, app.source, app.rows, app.replayed) == ("contract_broken", "app", 3, 1)
    assert (app.first_on, app.last_on) == (NOW.date(), NOW.date() + timedelta(days=1))
    assert [(e.place, e.raw, e.replayed_to) for e in app.examples] == [("0/1/0", "y", "2/9/4"), ("0/4/0", "z", None)]
    assert (web.rows, web.replayed) == (1, 0)
    assert (duplicates.code, duplicates.source, duplicates.examples[0].raw) == ("duplicate", None, None)
    assert [group.source for group in groups(lake, code="contract_broken")] == ["app", "web"]
    assert groups(lake, code="contract_broken", examples=9)[0].examples[2].raw == "x" * RAW_SHOWN + "…"


def test_what_can_be_replayed_is_told_apart_from_what_cannot(lake: Lake) -> None:
    quarantined(
        lake,
        {"raw": "good"},
        {"raw": "gone"},
        {"raw": None},
        {"raw": "é" * (MAX_RAW_BYTES // 2)},
        {"raw": "{}\n{}"},
        {"raw": "other", "code": "contract_broken"},
    )
    ReplayLedger(lake).plan([PlannedLine((0, 1, 0), "undecodable", "gone")], at=NOW)

    chosen = select_rows(lake, code="undecodable")

    assert chosen.rows["log_offset"].to_list() == [0]
    assert (chosen.replayed, chosen.without_raw, chosen.cut, chosen.whole_records) == (1, 1, 1, 1)


def test_a_condition_chooses_among_them(lake: Lake) -> None:
    quarantined(lake, *({"raw": f"r{n}", "source": "app" if n % 2 else None} for n in range(6)))

    chosen = select_rows(lake, code="undecodable", where="source = 'app' AND log_offset > 1")

    assert list(read_parts(lake, chosen.rows)) == [[((0, 3, 0), "r3"), ((0, 5, 0), "r5")]]


def test_rows_are_read_in_parts_of_bounded_size(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.landed.quarantine.PART_BYTES", 10)
    monkeypatch.setattr("lakehouse.landed.quarantine.PART_ROWS", 3)
    quarantined(lake, *({"raw": "x" * size} for size in (1, 1, 1, 1, 9, 30, 2)))

    parts = list(read_parts(lake, select_rows(lake, code="undecodable").rows))

    assert [[len(raw) for _, raw in part] for part in parts] == [[1, 1, 1], [1, 9], [30], [2]]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("colour = 'red'", 'unable to find column "colour"'),
        ("log_offset +", "unable to parse"),
        ("", "unable to parse"),
        ("log_offset", "gives Int64, not true or false"),
        ("code = 'x'; DROP TABLE quarantine", "invalid expression"),
        ("log_offset IN (SELECT 1)", "unable to find"),
    ],
)
def test_a_condition_that_is_none_is_refused_with_the_columns_that_there_are(where: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        condition(where)
    assert "log_partition" in str(refused.value)
