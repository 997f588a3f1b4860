"""Maintenance's child process: its memory, its death, its end."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from feedback.errors import MaintenanceFailed
from feedback.settings.home import Settings
from lakehouse.lake import Lake, open_lake
from lakehouse.maintenance.child import Ended, Job, Started, work_table
from lakehouse.maintenance.plan import Action, Work
from lakehouse.maintenance.run import _Collected, _without, run_maintenance
from lakehouse.maintenance.table import Outcome, read_statistics
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.maintenance.small_files_lake import CAP, RETENTION, land
from tests.lakehouse.rows import rows


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return open_lake(settings)


def test_a_child_that_outgrows_its_cap_at_once_is_an_error_that_names_the_setting(
    settings: Settings, lake: Lake
) -> None:
    land(lake, 1)
    cap = msgspec.structs.replace(settings.maintenance, memory_mb=20)
    tight = msgspec.structs.replace(settings, maintenance=cap)

    with pytest.raises(MaintenanceFailed, match=r"SIGKILL .*maintenance.memory_mb|memory .*maintenance.memory_mb"):
        run_maintenance(tight)

    assert run_maintenance(settings).problems == []


@pytest.mark.parametrize("work", [Work.CLUSTER, Work.SUPERSEDE, Work.COMPACT])
def test_after_a_childs_death_the_next_goes_on_without_what_killed_it(work: Work) -> None:
    job = Job(
        root="/lake", options={}, lock_folder="/run", retention=RETENTION, cap_bytes=CAP, vacuum=True,
        tables=("feedback",),
    )  # fmt: skip
    collected = _Collected()
    first = Action(table="feedback", work=Work.CHECKPOINT)
    fatal = Action(table="feedback", work=work, day=NOW.date(), marks=work is not Work.COMPACT)
    for line in (Started(action=first), Ended(outcome=Outcome(action=first)), Started(action=fatal)):
        collected.add(line)

    then = _without(job, subprocess.CompletedProcess([], -9, stderr=b""), collected)

    assert first.name in then.skip
    assert (fatal.name in then.plain, fatal.name in then.skip) == (work is not Work.COMPACT, work is Work.COMPACT)
    assert "1024 MiB (maintenance.memory_mb)" in collected.problems[0]


def test_a_day_that_could_not_be_rewritten_is_not_passed_over_by_the_mark_of_a_later_one(
    lake: Lake, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    days = [NOW.date() - timedelta(days=back) for back in (2, 1)]
    for offset, day in enumerate(days):
        given = rows(FEEDBACK, {"log_offset": offset, "id": f"e{offset}", "landed_on": day})
        lake.append(FEEDBACK, given)
    ended = Action(table="feedback", work=Work.CLUSTER, day=days[0])
    job = Job(
        root=lake.root, options={}, lock_folder="/run", retention=RETENTION, cap_bytes=CAP, vacuum=False,
        tables=("feedback",), skip=(ended.name,),
    )  # fmt: skip

    work_table(lake, "feedback", job)
    assert read_statistics(lake, FEEDBACK).rewritten_to is None
    assert b"cluster" not in capsysbinary.readouterr().out

    work_table(lake, "feedback", msgspec.structs.replace(job, skip=()))
    assert read_statistics(lake, FEEDBACK).rewritten_to == days[1]


def test_stopping_ends_a_pass_and_its_child(settings: Settings, lake: Lake) -> None:
    land(lake, 3)

    started = time.monotonic()
    run_maintenance(settings, stopped=lambda: True)

    assert time.monotonic() - started < 10
    assert run_maintenance(settings).problems == []


def test_a_log_far_behind_its_last_checkpoint_fits_under_the_cap(settings: Settings, lake: Lake) -> None:
    """Its files are read by hundreds of threads, whose stacks are reserved, not used."""
    land(lake, 1)
    log = Path(lake.uri(FEEDBACK), "_delta_log")
    filler = '{"commitInfo":{"timestamp":1,"operation":"WRITE","operationParameters":{}}}'
    for version in range(lake.table(FEEDBACK).version() + 1, 2_000):
        (log / f"{version:020}.json").write_text(filler, encoding="utf-8")

    report = run_maintenance(settings)

    assert report.problems == []
    assert report.tables[0].checkpoints == 1
    assert report.peak_bytes < report.cap_bytes


def test_the_peak_is_the_childs_own_not_what_its_parent_had(settings: Settings, lake: Lake) -> None:
    land(lake, 2)
    ballast = bytearray(b"x") * (700 << 20)

    report = run_maintenance(settings)

    assert report.peak_bytes < len(ballast)
