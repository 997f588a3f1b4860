"""Commands as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def heed(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments, "--home", str(home)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ingest", "none.csv"), 2, "there is no such file"),
        (("land",), 2, "choose one of --drain and --stream"),
        (("recommend",), 2, "name one USER"),
        (("recommend", "1"), 1, "heed run"),
        (("rollback",), 1, "no earlier bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = heed(*arguments, home=tmp_path)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("tides",), "there is no such benchmark; there are: "), (("faults", "--kills", "0"), "not in the range")],
    ids=["unknown", "no kills"],
)
def test_a_bench_that_cannot_be_run_says_why(arguments: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "cli", "bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_second_up_on_the_same_home_is_refused_by_name(tmp_path: Path) -> None:
    from cli.up import holding_home
    from feedback.settings import load_settings

    with holding_home(load_settings(tmp_path)):
        done = heed("up", home=tmp_path)

    assert done.returncode == 1
    assert "already runs on" in done.stderr


def test_the_demo_never_wipes_a_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")

    done = heed("demo", "--small", home=tmp_path)

    assert done.returncode == 1
    assert "was not made by a demo" in done.stderr
    assert (tmp_path / "precious").exists()


@pytest.mark.e2e
@pytest.mark.timeout(1000)
@pytest.mark.spark
def test_the_demo_on_the_small_data_runs_the_whole_loop_and_the_sums_agree(tmp_path: Path) -> None:
    done = heed("demo", "--small", "--json", home=tmp_path / "home")

    assert done.returncode == 0, done.stderr[-3000:]
    loop, end = (json.loads(line) for line in done.stdout.splitlines() if '"step"' in line)
    assert loop["verdicts"]["accepted"] == loop["summary"]["landing"]["landed"] == 1601
    assert loop["summary"]["success"]
    assert end["published_version"]
    audit = heed("audit", "--json", home=tmp_path / "home")
    assert json.loads(audit.stdout)["holds"]
