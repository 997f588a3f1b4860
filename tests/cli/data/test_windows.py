from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from cli.main import heed
from feedback.errors import UsageError
from feedback.settings.home import load_settings
from lakehouse.sketches import numbers_of, people_column
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_rows import Mark
from online.open import open_online_store, open_window_store
from tests.lakehouse.rows import rows
from tests.online.window_store_conformance import window_rows

START = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    minute = {"start": START, "size_seconds": 60}
    rated = {"ratings": 4, "rating_millionths": 3_500_000, "nps_promoters": 3, "nps_detractors": 1}
    given = window_rows(
        {**minute, "events": 10, "opinions": 4, "positive": 3, "negative": 1, "late": 2, "final": True, **rated},
        {**minute, "events": 5, "log_partition": 1, "final": True},
        {**minute, "start": START + 60, "events": 1},
        *({**minute, "scope": "item", "key": f"i{n}", "events": n + 1} for n in range(30)),
    )
    store = open_window_store(load_settings(tmp_path).online)
    store.put(given, {0: Mark(1, 1), 1: Mark(1, 1)}, expected={0: 0, 1: 0})
    store.close()
    return tmp_path


def windows(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heed, ["windows", "--home", str(home), *arguments], terminal_width=200)


def test_programs_get_the_newest_windows_first_with_partitions_added_up(home: Path) -> None:
    newest, older = (json.loads(line) for line in windows(home, "--json").stdout.splitlines())

    assert newest["window_start"] == "2026-03-01T12:01:00Z"
    assert (older["events"], older["late"], older["final"], newest["final"]) == (15, 2, True, False)
    assert (older["positive_share"], older["mean_rating"], older["nps"]) == (0.75, 4.5, 50.0)


def test_people_get_a_table_with_shares(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    shown = windows(home).stdout

    row = next(line for line in shown.splitlines() if "12:00" in line and "final" in line)
    assert row.split() == ["2026-03-01", "12:00", "all", "15", "0", "75%", "25%", "4.50", "+50", "2", "final"]


def test_items_are_the_busiest_unless_one_is_named(home: Path) -> None:
    busiest = windows(home, "--scope", "item", "--rows", "2", "--json").stdout.splitlines()
    named = windows(home, "--scope", "item", "--key", "i0", "--json").stdout.splitlines()

    assert [json.loads(line)["key"] for line in busiest] == ["i29", "i28"]
    assert [json.loads(line)["events"] for line in named] == [1]


def test_linked_subjects_are_one_person_however_late_the_link_comes(home: Path) -> None:
    anna, visit, bob = "a" * 32, "b" * 32, "c" * 32
    settings = load_settings(home)
    both, one = (people_of(subjects) for subjects in ([anna, visit, bob], [visit]))
    given = window_rows({"start": START + 120, "size_seconds": 60, "people": both, "events": 3})
    other = window_rows({"start": START + 120, "size_seconds": 60, "people": one, "events": 1, "log_partition": 1})
    store = open_window_store(settings.online)
    store.put(pl.concat([given, other]), {0: Mark(2, 2), 1: Mark(2, 2)}, expected={0: 1, 1: 1})
    store.close()

    def counted() -> int:
        return int(json.loads(windows(home, "--windows", "1", "--json").stdout)["people"])

    assert counted() == 3
    payload = json.dumps({"anonymous_subject": visit})
    link = rows(FEEDBACK, {"kind": "identify", "subject": anna, "payload": payload, "log_offset": 0})
    online = open_online_store(settings.online)
    online.push(pl.DataFrame(link), {0: 1})
    online.close()

    assert counted() == 2


def people_of(subjects: list[str]) -> bytes:
    """As a window keeps few people."""
    numbers = np.sort(numbers_of(pl.Series(subjects)).to_numpy())
    (kept,) = people_column(np.array([len(subjects)]), numbers, {}).to_list()
    return bytes(kept)


def test_where_there_is_no_window_the_next_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    assert "heed land" in windows(tmp_path, "--window", "1h").stdout
    monkeypatch.setenv("HEED_WINDOWS_ENABLED", "false")
    assert "switched off (setting `windows.enabled`)" in windows(tmp_path, "--window", "1h").stdout


def test_the_former_name_of_the_command_works_with_a_warning(home: Path) -> None:
    former = CliRunner().invoke(heed, ["signals", "--home", str(home), "--json"])

    assert former.stdout == windows(home, "--json").stdout
    assert former.stderr == "heed: warning: heed signals is called heed windows now; the old name still works\n"


@pytest.mark.parametrize("wrong", [("--window", "5m"), ("--scope", "user")], ids=["window", "scope"])
def test_wrong_words_are_refused_with_the_right_ones(home: Path, wrong: tuple[str, str]) -> None:
    refused = windows(home, *wrong).exception

    assert isinstance(refused, UsageError)
    assert "choose one of" in str(refused)
