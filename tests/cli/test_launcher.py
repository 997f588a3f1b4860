"""The launcher: which packages it installs when, where it writes, and whose modules Python runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from cli.demo.demo import free_port
from tests.serving.test_http import _until
from tests.support.launcher import ROOT, Checkout, environment_of_tests, evil_folder, find_uv


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    uv = find_uv()
    if uv is None:
        pytest.skip("no uv on this machine")
    checkout = Checkout(tmp_path / "checkout", uv)
    checkout.make_environment()
    return checkout


def _installed(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[:-1]


def test_a_command_installs_the_product_and_a_test_adds_its_tools_which_then_stay(checkout: Checkout) -> None:
    assert _installed(checkout.run("demo")) == ["thing1"]
    assert _installed(checkout.run("test", "-q")) == ["thing1", "tool1"]

    shutil.rmtree(checkout.wheels)  # whatever is installed from here on fails

    for command in ("demo", "check", "run", "test"):
        done = checkout.run(command)
        assert _installed(done) == ["thing1", "tool1"]
        assert done.stderr == ""


def test_an_environment_of_the_one_lock_of_before_is_taken_over_as_it_is(checkout: Checkout) -> None:
    checkout.run("test")
    lock = (checkout.folder / "requirements-dev.lock").read_text()
    (checkout.env / ".heed-lock").write_text(f"# uv pip compile --all-extras pyproject.toml\n{lock}")
    (checkout.env / ".heed-lock-dev").unlink()
    shutil.rmtree(checkout.wheels)

    for command in ("run", "test", "run"):
        done = checkout.run(command)
        assert _installed(done) == ["thing1", "tool1"]
        assert done.stderr == ""


def test_a_lock_whose_comments_alone_changed_installs_nothing(checkout: Checkout) -> None:
    checkout.run("run")
    checkout.write_locks(product=["thing 1"], tools=["tool 1"], comment="compiled again")
    shutil.rmtree(checkout.wheels)

    assert checkout.run("run").stderr == ""


def test_another_lock_is_installed_with_the_tools_where_they_were_added(checkout: Checkout) -> None:
    checkout.run("test")
    checkout.write_locks(product=["thing 2"], tools=["tool 2"])

    assert _installed(checkout.run("run")) == ["thing2", "tool2"]

    checkout.write_locks(product=["thing 1"], tools=["tool 1"])
    older = f"# uv pip compile --all-extras\n{(checkout.folder / 'requirements-dev.lock').read_text()}"
    (checkout.env / ".heed-lock").write_text(older)  # an older launcher leaves the other stamp alone
    checkout.write_locks(product=["thing 2"], tools=["tool 2"])

    assert _installed(checkout.run("run")) == ["thing2", "tool2"]


def test_a_new_lock_of_the_tools_alone_is_no_business_of_a_command(checkout: Checkout) -> None:
    checkout.run("test")
    checkout.write_locks(product=["thing 1"], tools=["tool 2"])

    assert _installed(checkout.run("run")) == ["thing1", "tool1"]
    assert _installed(checkout.run("test")) == ["thing1", "tool2"]


@pytest.mark.parametrize("name", ["env", "sub/env/"])
def test_with_an_environment_elsewhere_the_checkout_is_never_written_to(
    checkout: Checkout, tmp_path: Path, name: str
) -> None:
    shutil.rmtree(checkout.env)
    checkout.make_environment(tmp_path / name)
    before = sorted(checkout.folder.rglob("*"))
    checkout.folder.chmod(0o555)

    try:
        done = checkout.run("run", cwd=tmp_path, HEED_ENV=name)
    finally:
        checkout.folder.chmod(0o755)

    assert _installed(done) == ["thing1"]
    assert done.stdout.split()[-1] == str(tmp_path / name)
    assert sorted(checkout.folder.rglob("*")) == before
    assert (tmp_path / f"{name.rstrip('/')}.setup" / "setup.log").exists()


def test_a_place_that_cannot_be_written_is_named_with_a_way_out(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = checkout.run("run", HEED_ENV=str(tmp_path / "file" / "env"))

    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "HEED_ENV=DIR" in done.stderr


def test_a_folder_of_somebody_elses_is_never_replaced(checkout: Checkout, tmp_path: Path) -> None:
    precious = tmp_path / "mine" / "precious"
    precious.parent.mkdir()
    precious.touch()
    theirs = tmp_path / "theirs"
    checkout.make_environment(theirs)
    (package,) = theirs.glob("lib/python*/site-packages")
    (package / "numpy-1.0.dist-info").mkdir()

    for folder, name in ((precious.parent, "precious"), (theirs, "numpy-1.0.dist-info")):
        done = checkout.run("run", HEED_ENV=str(folder))
        assert done.returncode == 1
        assert f"{folder} holds what Heed did not make, like {name}" in done.stderr
    assert precious.exists()
    assert (package / "numpy-1.0.dist-info").exists()


@pytest.mark.parametrize("path", ["", ":", ".", "evil:"], ids=["unset", "empty", "dot", "relative"])
def test_the_set_up_runs_no_module_of_the_current_directory(checkout: Checkout, tmp_path: Path, path: str) -> None:
    done = checkout.run("run", cwd=evil_folder(tmp_path / "evil"), PYTHONPATH=path)

    assert _installed(done) == ["thing1"]
    assert done.stderr.strip().endswith("…")


@pytest.mark.server
def test_commands_and_their_children_run_no_module_of_the_current_directory(tmp_path: Path) -> None:
    evil, port = evil_folder(tmp_path / "evil"), free_port()
    given = {
        **os.environ,
        "HEED_ENV": str(environment_of_tests(tmp_path / "env")),
        "HEED_HOME": str(tmp_path / "home"),
        "PYTHONPATH": "",
    }
    made = subprocess.run(
        [ROOT / "heed", "keys", "create", "a", "--scope", "admin"],
        cwd=evil,
        env=given,
        capture_output=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr

    server = subprocess.Popen([ROOT / "heed", "serve", "--port", str(port)], cwd=evil, env=given)
    try:
        _until(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200)
    finally:
        server.send_signal(signal.SIGTERM)

    assert server.wait(20) == 0
