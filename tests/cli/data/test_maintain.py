"""`heed maintain` as people and supervisors run it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from cli.services.processes import STOP_SECONDS, processes
from feedback.log.open import open_log
from feedback.log.port import NewRecord
from feedback.settings.home import Settings
from feedback.settings.source import ROOT
from lakehouse.commit import LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from online.open import open_online_store
from online.trimming import online_bounds, trim_stores
from tests.conftest import NOW
from tests.lakehouse.rows import batch


def command(settings: Settings, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", "maintain", *arguments, "--home", settings.home]


def land(settings: Settings, records: int) -> None:
    committer = LandingCommitter(open_lake(settings), "feedback", 4)
    for number in range(records):
        committer.commit(batch(number, number + 1), at=NOW)


def test_once_it_works_every_table_through_and_reports(settings: Settings) -> None:
    land(settings, 5)

    done = subprocess.run(command(settings, "--json"), cwd=ROOT, capture_output=True, text=True, check=True)

    (line,) = done.stdout.splitlines()
    report = json.loads(line)
    assert report["problems"] == []
    assert [(t["table"], t["files_before"], t["files_after"]) for t in report["tables"]] == [("feedback", 5, 1)]
    assert len(open_lake(settings).file_uris(FEEDBACK)) == 1


def test_a_home_without_tables_is_left_as_it_is(settings: Settings) -> None:
    done = subprocess.run(command(settings, "--json"), cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["tables"] == []


@pytest.mark.parametrize("every", ["0", "-1"])
def test_a_period_that_makes_no_sense_is_refused(settings: Settings, every: str) -> None:
    done = subprocess.run(command(settings, "--every", every), cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "more than 0" in done.stderr


def test_a_second_service_is_refused_by_name_and_sigterm_ends_the_first(settings: Settings) -> None:
    land(settings, 2)
    service = command(settings, "--every", "60", "--json")
    with subprocess.Popen(service, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline())["problems"] == []

        second = subprocess.run(
            command(settings, "--every", "60"), cwd=ROOT, capture_output=True, text=True, check=False
        )

        first.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert first.wait(30) == 0
        assert time.monotonic() - started < STOP_SECONDS
        assert second.returncode == 1
        assert f"`heed maintain --every`, process {first.pid}" in second.stderr


def test_up_runs_it_beside_landing(settings: Settings) -> None:
    (maintenance,) = [process for process in processes(settings) if process.name == "maintenance"]

    assert maintenance.command[3:6] == ("maintain", "--every", "30.0")


@pytest.mark.parametrize(
    ("learned", "expected"),
    [(None, {}), ({0: 5, 1: 50}, {0: 5, 1: 20}), ({}, {0: 0, 1: 0})],
    ids=["no bundle", "the lower of the two", "a bundle that knows nothing"],
)
def test_the_online_store_forgets_what_neither_log_nor_people_need(
    learned: dict[int, int] | None, expected: dict[int, int]
) -> None:
    assert online_bounds({0: 10, 1: 20}, learned) == expected


def test_old_landed_records_leave_the_log_and_the_online_store_but_what_has_not_landed_stays(
    settings: Settings,
) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=settings.log.retention_days + 1)
    log = open_log(settings.log)
    log.append([NewRecord(0, b"{}", 1) for _ in range(6)], now=old)
    log.append([NewRecord(0, b"{}", 1) for _ in range(2)], now=now)
    lake = open_lake(settings)
    land(settings, 4)
    store = open_online_store(settings.online)
    landed = lake.scan(FEEDBACK).sort("log_offset").collect()
    store.push(landed[:3], {0: 3})
    store.push(landed[3:], {0: 4})

    trimmed = trim_stores(settings, now=now, learned={0: 3})

    assert log.bounds()[0] == (4, 8)
    assert (trimmed.log_records, trimmed.online_events) == (4, 3)
    assert [event.log_offset for event in store.recent("s" * 32)] == [3]
