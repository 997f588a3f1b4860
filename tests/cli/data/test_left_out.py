"""`heed left-out` and `heed audit` on a lake with rows that learning leaves out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import heed
from feedback.bounds import EARLIEST_US
from feedback.settings.home import load_settings
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import rows

SUBJECT = "0" * 32
RATED = {"subject": SUBJECT, "value": 4.0, "scale_min": 1.0, "scale_max": 5.0}


def land(home: Path, *given: dict[str, object]) -> None:
    """One event per record of partition 0."""
    settings = load_settings(home)
    landed = [{**RATED, "id": f"e{offset}", "log_offset": offset, **row} for offset, row in enumerate(given)]
    batch = LandingBatch({0: 0}, {0: len(given)}, {"feedback": rows(FEEDBACK, *landed)})
    LandingCommitter(open_lake(settings), settings.log.name, settings.log.partitions).commit(batch, at=NOW)


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heed, [*arguments, "--home", str(home)], catch_exceptions=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    again = NOW.date() + timedelta(days=40)
    entry = {"kind": "item", "subject": None, "value": None, "scale_min": None, "scale_max": None}
    land(
        tmp_path,
        {},
        {"id": "e0", "landed_on": again},
        {"value": 9.0, "id": "[bold]"},
        {"occurred_at": EARLIEST_US - 1},
        {**entry, "item_id": "mug", "payload": "{oops"},
    )
    return tmp_path


def test_programs_get_one_object_per_table_and_rule(home: Path) -> None:
    groups = [json.loads(line) for line in run(home, "left-out", "--json").stdout.splitlines()]

    assert [(g["table"], g["rule"], g["rows"], g["of"]) for g in groups] == [
        ("feedback", "at_least_value__scale_max", 1, 5),
        ("feedback", "between__occurred_at", 1, 5),
        ("feedback", "unique__owner_id", 1, 5),
        ("items", "payload", 1, 1),
    ]
    assert [g["examples"][0]["place"] for g in groups] == ["0/2/0", "0/3/0", "0/1/0", "0/4/0"]
    assert groups[1]["examples"][0]["values"]["occurred_at"] == f"{EARLIEST_US - 1} µs since 1970"


def test_people_see_what_is_left_out_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    shown = run(home, "left-out").stdout

    assert "feedback, at_least_value__scale_max: no value above its scale" in shown
    assert "0/2/0 in the log: kind=rating, source=test, id=[bold], item_id=i" in shown
    assert run(home, "left-out", "--examples", "0").stdout.count("in the log:") == 0


def test_a_good_lake_and_an_empty_home_leave_nothing_out(tmp_path: Path) -> None:
    land(tmp_path / "good", {}, {"v": 2})

    for home in (tmp_path / "good", tmp_path / "empty"):
        assert run(home, "left-out").stdout == "Nothing is left out of learning.\n"
