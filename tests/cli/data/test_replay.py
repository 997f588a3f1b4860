"""`heed quarantine` and `heed replay` as people type them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from beam_jobs.landing import drain, stream
from cli.main import heed
from feedback.errors import UsageError
from feedback.log.open import open_log
from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from tests.support.landing.lines import append, line

pytestmark = pytest.mark.beam
Run = Callable[..., list[dict[str, Any]]]
REPAIR = "def repair(event):\n    return {**event, 'value': 5}\n"


@pytest.fixture
def home(settings: Settings) -> Settings:
    log = open_log(settings.log)
    ratings = [line(id=f"r{n}", kind="rating", scale_min=1, scale_max=5, value=9, source="[app]") for n in range(3)]
    append(log, *ratings, line(id="good"), line(id="good"))
    log.close()
    drain(settings)
    return settings


@pytest.fixture
def run(home: Settings, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: str) -> list[dict[str, Any]]:
        capfdbinary.readouterr()
        heed.main([*arguments, "--home", home.home, "--json"], standalone_mode=False)
        return [json.loads(text) for text in capfdbinary.readouterr().out.splitlines()]

    return run


@pytest.fixture
def repair_file(tmp_path: Path) -> str:
    path = tmp_path / "repair.py"
    path.write_text(REPAIR)
    return str(path)


def test_the_quarantine_is_shown_repaired_and_shown_again(run: Run, home: Settings, repair_file: str) -> None:
    before = run("quarantine")
    dry, report = (
        run("replay", "--code", "contract_broken", "--repair", repair_file, "--dry-run"),
        run("replay", "--code", "contract_broken", "--repair", repair_file, "--where", "source = '[app]'"),
    )
    again = run("replay", "--code", "contract_broken", "--repair", repair_file)
    after = run("quarantine", "--code", "contract_broken", "--examples", "1")

    assert [(g["code"], g["source"], g["rows"], g["replayed"]) for g in before] == [
        ("contract_broken", "[app]", 3, 0),
        ("duplicate", "direct", 1, 0),
    ]
    assert (dry[0]["replayed"], dry[0]["dry_run"], dry[0]["outcomes"]) == (3, True, {})
    assert (report[0]["replayed"], report[0]["outcomes"]) == (3, {"landed": 3})
    assert (again[0]["replayed"], again[0]["already_replayed"]) == (0, 3)
    assert after[0]["replayed"] == 3
    assert after[0]["examples"][0]["replayed_to"]
    assert open_lake(home).row_count(FEEDBACK) == 4


def test_the_names_of_earlier_releases_work_with_a_warning(
    home: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "former.py"
    path.write_text(REPAIR.replace("repair", "mend"))
    arguments = ["replay", "--code", "contract_broken", "--mend", str(path)]
    heed.main([*arguments, "--home", home.home], standalone_mode=False)

    told = capsys.readouterr()
    assert "3 of 3 rows replayed" in told.out
    assert "--mend is called --repair now" in told.err
    assert "the function `mend` is called `repair` now" in caplog.text


def test_without_landing_the_rows_wait_for_the_next_one(run: Run, home: Settings, repair_file: str) -> None:
    (report,) = run("replay", "--code", "contract_broken", "--repair", repair_file, "--no-land")

    assert report["outcomes"] == {"waiting": 3}
    assert drain(home).landed == 3


def test_beside_a_running_stream_the_replay_lands_once(run: Run, home: Settings, repair_file: str) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stream, args=(home, stop))
    thread.start()
    try:
        (report,) = run("replay", "--code", "contract_broken", "--repair", repair_file)
    finally:
        stop.set()
        thread.join(60)

    assert report["outcomes"] == {"landed": 3}
    log = open_log(home.log)
    assert audit(open_lake(home), log.name, bounds=log.bounds()).holds


def test_people_get_words_and_marks_in_the_data_do_no_harm(
    home: Settings, repair_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heed.main(["quarantine", "--home", home.home], standalone_mode=False)
    arguments = ["replay", "--code", "contract_broken", "--repair", repair_file]
    heed.main([*arguments, "--home", home.home], standalone_mode=False)
    heed.main(["quarantine", "--code", "too_large", "--home", home.home], standalone_mode=False)

    out = capsys.readouterr().out
    assert "contract_broken from [app]" in out
    assert "value` is not within its scale" in out
    assert "Duplicates" in out
    assert "3 of 3 rows replayed" in out
    assert "landed: 3" in out
    assert "Nothing is in quarantine under too_large." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "--code", "duplicate"), "nothing to replay"),
        (("replay", "--code", "oops"), "is unknown"),
        (("replay", "--code", "undecodable", "--repair", "nowhere.py"), "there is no such file"),
        (("replay", "--code", "undecodable", "--where", "colour = 1"), "unable to find column"),
        (("quarantine", "--code", "oops"), "the codes are"),
    ],
    ids=["duplicates", "unknown code", "no file", "unknown column", "unknown code to show"],
)
def test_wrong_arguments_are_refused_in_words(settings: Settings, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        heed.main([*arguments, "--home", settings.home], standalone_mode=False)


def test_a_replay_needs_a_code(settings: Settings) -> None:
    with pytest.raises(click.MissingParameter):
        heed.main(["replay", "--home", settings.home], standalone_mode=False)
