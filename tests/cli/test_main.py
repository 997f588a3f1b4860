"""How commands end: closed pipes, full disks, interrupts, and names that look like markup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import main as entry
from feedback.settings.home import load_settings
from models.bundle.store import BundleStore
from tests.cli.test_commands import ROOT, heed
from tests.models.test_learning_core import publish_factors


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    publish_factors(BundleStore(load_settings(home).paths.bundles))
    return home


@pytest.mark.parametrize("user", ["[/i]", "[u]x", "\x1b[31mred"])
def test_a_person_whose_id_looks_like_markup_gets_a_list(home: Path, user: str) -> None:
    done = heed("recommend", user, home=home)

    assert done.returncode == 0, done.stderr
    assert f"{user}: nothing is known".replace("\x1b", "\\x1b") in done.stdout


ARGUMENTS = [("recommend", "anna"), ("recommend", "anna", "--json"), ("--help",), ("recommend", "--help")]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_a_command_whose_reader_had_enough_ends_quietly(home: Path, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    given = {**os.environ, "HEED_HOME": str(home)}

    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env=given,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=120,
    )
    os.close(writer)

    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_output_that_cannot_be_written_is_one_clear_line(home: Path, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "cli", "recommend", "anna", *options, "--home", str(home)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)

    assert done.returncode == 1
    assert done.stderr == "heed: the output cannot be written: no space left on its device\n"


def test_an_encoding_that_lacks_a_character_spells_it_out(home: Path) -> None:
    done = heed("recommend", "Zoë ☃", home=home, PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "Zo\\xeb \\u2603: nothing" in done.stdout


def test_a_message_that_holds_control_characters_does_not_steer_the_terminal(tmp_path: Path) -> None:
    done = heed("ingest", "no\x1b[2Jne.csv", "--kind", "view", home=tmp_path)

    assert done.returncode == 2
    assert "no\\x1b[2Jne.csv" in done.stderr
    assert "\x1b" not in done.stderr


def _raising(error: BaseException) -> click.Command:
    def command() -> None:
        raise error

    return entry.Commands(callback=command, invoke_without_command=True)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "heed: stopped"),
        (EOFError("Compressed file ended before the end-of-stream marker was reached"), 1, "a file ends before its"),
        (EOFError(), 1, "a file ends before its content does: no more data"),
    ],
    ids=["Ctrl-C", "cut file", "no words"],
)
def test_an_interrupt_and_the_end_of_a_file_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    monkeypatch.setattr(entry, "heed", _raising(error))
    monkeypatch.setattr(sys, "argv", ["heed"])

    assert entry._run() == code
    assert words in capsys.readouterr().err


def test_child_processes_find_heed_and_nothing_in_their_current_directory(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the json of the current directory')")
    code = "from cli.main import _prepare_children as p; p(); import os; print(os.environ['PYTHONPATH'])"
    given = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), "", ".", "rel", "/opt/site"))}

    told = subprocess.run([sys.executable, "-P", "-c", code], env=given, capture_output=True, text=True, cwd=tmp_path)
    path = told.stdout.strip()
    child = [sys.executable, "-c", "import json, cli; print(json.dumps(cli.__file__))"]
    found = subprocess.run(
        child, env={**given, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}, capture_output=True, text=True, cwd=tmp_path
    )

    assert path.split(os.pathsep) == [str(ROOT), "/opt/site"], told.stderr
    assert json.loads(found.stdout).startswith(str(ROOT)), found.stderr
