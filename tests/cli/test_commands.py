"""Commands as people type them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.demo.demo import free_port
from feedback.settings.home import load_settings
from feedback.settings.source import ROOT
from models.bundle.store import BundleStore
from tests.models.test_learning_core import publish_factors
from tests.support.launcher import environment_of_tests, evil_folder


def heed(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments, "--home", str(home)]
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, env=given)


def is_one_clear_line(done: subprocess.CompletedProcess[str], words: str) -> bool:
    told = done.stderr.strip()
    return words in told and "Traceback" not in told and len(told.splitlines()) == 1


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
    assert is_one_clear_line(done, words), done.stderr


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


RATINGS = "userId,movieId,rating,timestamp\n1,2,3.5,1000000000\n"
MAP = "user_id=userId,item_id=movieId,value=rating,occurred_at=timestamp"


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (RATINGS, ("--kind", "rating", "--map", "user_id=uid"), "no column 'uid' (for user_id); the file has 'userId'"),
        (RATINGS, ("--kind", "rating"), "none of its columns"),
        (RATINGS, ("--kind", "raiting", "--map", MAP), "--kind 'raiting' is unknown"),
        (RATINGS, ("--map", MAP), "give --kind"),
        (RATINGS, ("--kind", "rating", "--map", MAP), "give --scale LOW,HIGH"),
        (RATINGS, ("--kind", "rating", "--map", MAP, "--scale", "5"), "lowest and highest possible value"),
        (RATINGS, ("--kind", "rating", "--map", MAP, "--scale", "5,1"), "must run from low to high"),
        ("", ("--kind", "rating", "--map", MAP, "--scale", "0.5,5"), "the file is empty"),
        ("userId,movieId\n", ("--kind", "rating", "--map", MAP, "--scale", "0.5,5"), "there are no rows in it"),
    ],
    ids=["column", "columns", "kind", "no kind", "no scale", "one end", "turned scale", "empty", "header only"],
)
def test_a_file_that_cannot_be_ingested_is_refused_before_anything_is_sent(
    tmp_path: Path, content: str, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "ratings.csv").write_text(content)

    done = heed("ingest", str(tmp_path / "ratings.csv"), *arguments, home=tmp_path / "home")

    assert done.returncode == 2
    assert is_one_clear_line(done, words), done.stderr
    assert not (tmp_path / "home" / "refused").exists()


def test_ingesting_tells_the_verdicts_and_writes_the_refused_rows_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(f"{RATINGS}1,2,3.5,1000000000\n1,3,9,1000000000\n")
    arguments = ("ingest", str(tmp_path / "ratings.csv"), "--kind", "rating", "--map", MAP, "--scale", "0.5,5")

    done = heed(*arguments, "--json", home=tmp_path / "home")

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert is_one_clear_line(done, "1 of 3 rows were refused and are not in"), done.stderr
    assert heed(*arguments, "--max-refused", "40%", home=tmp_path / "home").returncode == 0
    assert [report["counts"][name] for name in ("accepted", "duplicates", "rejected")] == [1, 1, 1]
    (refused,) = Path(report["refused_file"]).read_text().splitlines()
    assert json.loads(refused)["code"] == "out_of_range"
    assert json.loads(refused)["row"] == 4


def test_a_home_that_cannot_be_made_is_named_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = heed("audit", home=tmp_path / "file" / "home")

    assert done.returncode == 1
    assert is_one_clear_line(done, "choose another with --home DIR or HEED_HOME"), done.stderr


def test_a_list_for_somebody_unknown_is_what_is_popular_and_says_so(tmp_path: Path) -> None:
    publish_factors(BundleStore(load_settings(tmp_path).paths.bundles))

    done = heed("recommend", "nobody", "--n", "3", home=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "nothing is known of this person yet: what is popular" in done.stdout
    assert done.stdout.count("popular with everyone") == 3


def test_lists_for_a_file_of_users_are_one_line_each_under_the_ids_as_given(tmp_path: Path) -> None:
    publish_factors(BundleStore(load_settings(tmp_path).paths.bundles))
    (tmp_path / "users.txt").write_bytes("\ufeff007\r\n\nan\u2028na\n".encode())

    done = heed("recommend", "--users", str(tmp_path / "users.txt"), "--n", "2", "--json", home=tmp_path)

    lines = [json.loads(line) for line in done.stdout.strip().split("\n")]
    assert [line["user_id"] for line in lines] == ["007", "an\u2028na"]
    assert all(len(line["items"]) == 2 for line in lines)


@pytest.mark.parametrize(
    ("command", "setting", "words"),
    [
        ("serve", "HEED_HTTP_PORT", "Heed's HTTP API cannot listen on"),
        ("up", "HEED_DAGSTER_PORT", "Dagster cannot listen on"),
        ("up", "HEED_MLFLOW_PORT", "MLflow cannot listen on"),
    ],
)
def test_a_taken_port_is_refused_by_the_name_of_who_wants_it(
    tmp_path: Path, command: str, setting: str, words: str
) -> None:
    ports = {name: str(free_port()) for name in ("HEED_HTTP_PORT", "HEED_DAGSTER_PORT", "HEED_MLFLOW_PORT")}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = heed(command, home=tmp_path, **{**ports, setting: port})

    assert done.returncode == 2
    assert is_one_clear_line(done, words), done.stderr
    assert f"{port}: Address already in use" in done.stderr
    assert f"choose another with {setting}=" in done.stderr


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
    evil = evil_folder(tmp_path / "evil")  # none of its modules may run, in any of the processes
    given = {**os.environ, "HEED_ENV": str(environment_of_tests(tmp_path / "env"))}
    command = [ROOT / "heed", "demo", "--small", "--json", "--home", tmp_path / "home"]

    done = subprocess.run(command, cwd=evil, env=given, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "of the current directory ran" not in done.stderr
    loop, end = (json.loads(line) for line in done.stdout.splitlines() if '"step"' in line)
    assert loop["verdicts"]["accepted"] == loop["summary"]["landing"]["landed"] == 1601
    assert loop["summary"]["success"]
    assert end["published_version"]
    audit = heed("audit", "--json", home=tmp_path / "home")
    assert json.loads(audit.stdout)["holds"]
