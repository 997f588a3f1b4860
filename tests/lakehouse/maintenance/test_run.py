"""Maintenance for real: a child process on a real lake."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from feedback.errors import MaintenanceBusy
from feedback.settings.home import Settings, load_settings
from lakehouse.file_lock import locked
from lakehouse.lake import Lake, open_lake
from lakehouse.maintenance.run import run_maintenance
from lakehouse.maintenance.table import read_statistics
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.lakehouse.maintenance.small_files_lake import COMMITS, ids, land, today
from tests.lakehouse.rows import rows


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


def test_a_pass_leaves_few_files_and_every_row_and_position(settings: Settings, lake: Lake) -> None:
    land(lake, 20)  # of a day that is long closed
    land(lake, COMMITS, today, start=20)
    before = ids(lake)

    report = run_maintenance(settings)

    (table,) = report.tables
    assert report.problems == []
    assert table.files_before == 20 + COMMITS
    assert table.files_after == len(lake.file_uris(FEEDBACK)) == 2
    assert ids(lake) == before
    assert lake.positions("feedback", 1) == {0: 20 + COMMITS}
    assert 0 < report.peak_bytes < report.cap_bytes
    assert read_statistics(lake, FEEDBACK).rewritten_to == NOW.date()


def test_a_second_pass_rewrites_nothing(settings: Settings, lake: Lake) -> None:
    land(lake, COMMITS)
    run_maintenance(settings)
    files = lake.file_uris(FEEDBACK)

    report = run_maintenance(settings)

    assert lake.file_uris(FEEDBACK) == files
    assert report.tables[0].rewritten_files == 0


def test_a_clustered_day_is_in_the_order_of_its_columns(settings: Settings, lake: Lake) -> None:
    given = [
        {"log_offset": n, "id": f"e{n}", "country": "DE" if n % 2 else "FR", "subject": str(n % 3) * 32}
        for n in range(60)
    ]
    lake.append(FEEDBACK, rows(FEEDBACK, *given))

    run_maintenance(settings)

    frame = lake.scan(FEEDBACK).select("country", "subject").collect()
    assert frame.select(pl.struct("country", "subject").rle_id().n_unique()).item() == 6


def test_persons_do_not_stand_in_the_log_after_maintenance_either(settings: Settings, lake: Lake) -> None:
    land(lake, 20)
    run_maintenance(settings)
    lake.table(FEEDBACK).create_checkpoint()

    stored = b"".join(path.read_bytes() for path in Path(lake.uri(FEEDBACK)).rglob("_delta_log/*"))
    assert b"s" * 32 not in stored


def test_a_second_maintenance_is_refused_by_name(settings: Settings, lake: Lake) -> None:
    land(lake, 1)

    with (
        locked(lake.lock_file("upkeep"), what="maintenance", owner="the other one"),
        pytest.raises(MaintenanceBusy, match=f"the other one, process {os.getpid()}"),
    ):
        run_maintenance(settings)

    assert run_maintenance(settings).problems == []


def test_old_log_entries_and_tombstones_go_but_positions_stay(settings: Settings, lake: Lake) -> None:
    land(lake, 30)
    run_maintenance(settings)
    log = Path(lake.uri(FEEDBACK), "_delta_log")
    lake.table(FEEDBACK).create_checkpoint()
    old = time.time() - timedelta(hours=5).total_seconds()
    for entry in log.glob("*.json"):
        os.utime(entry, (old, old))

    report = run_maintenance(settings)

    assert report.tables[0].commits_removed > 20
    assert lake.positions("feedback", 1) == {0: 30}
    assert lake.row_count(FEEDBACK) == 30


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    from feedback.errors import SettingsError

    with pytest.raises(SettingsError, match=r"maintenance\.orphan_hours"):
        load_settings(tmp_path, maintenance_orphan_hours=0.1)


def test_a_table_that_cannot_be_read_is_named_and_the_others_are_worked_all_the_same(
    settings: Settings, lake: Lake
) -> None:
    land(lake, 20)
    lake.append(QUARANTINE, rows(QUARANTINE, {"log_offset": 1}))
    (Path(lake.uri(QUARANTINE)) / "_delta_log" / f"{0:020}.json").write_text("{broken", encoding="utf-8")

    report = run_maintenance(settings)

    (problem,) = report.problems
    assert problem.startswith("quarantine: ")
    assert [(t.table, t.files_after) for t in report.tables] == [("feedback", 1)]
