"""`heed up` as a person runs it: everything comes up, a second one is refused, Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from cli.demo.demo import free_port
from cli.home_lock import holding_home
from feedback.settings.home import load_settings
from tests.support.launcher import ROOT, environment_of_tests, evil_folder

COMMAND = [ROOT / "heed", "up", "--json", "--home"]
STOP_SECONDS = 60


class Running(NamedTuple):
    process: subprocess.Popen[str]
    home: Path
    env: Path
    told: dict[str, object]
    urls: dict[str, str]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("up")
    home, evil = folder / "my home #1 ;ö", evil_folder(folder / "evil")
    env = environment_of_tests(folder / "env")
    ports = {
        name: str(free_port())
        for name in ("HEED_PORT", "HEED_DAGSTER_PORT", "HEED_MLFLOW_PORT", "HEED_LANDING_METRICS_PORT")
    }
    process = subprocess.Popen(
        [*COMMAND, str(home)],
        cwd=evil,  # none of its modules may run, in any of the processes
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ports, "HEED_ENV": str(env)},
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Running(process, home, env, told, told["urls"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.e2e
@pytest.mark.server
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("up")
class TestUp:
    """One `heed up`, from start to stop; the last test stops it."""

    def test_every_printed_address_answers(self, up: Running) -> None:
        assert up.told["ready"]
        for url in up.urls.values():
            assert httpx.get(url, follow_redirects=True, timeout=30).status_code == 200

    def test_the_printed_key_opens_the_api(self, up: Running) -> None:
        headers = {"Authorization": f"Bearer {up.told['api_key']}"}
        event = {"kind": "rating", "user_id": "1", "item_id": "50", "value": 5, "scale": [1, 5]}

        answer = httpx.post(f"{up.urls['HTTP API']}/v1/feedback", json=event, headers=headers)

        assert answer.json()["accepted"] == 1

    def test_a_second_one_on_the_same_home_is_refused_and_told_who_holds_it(self, up: Running) -> None:
        given = {**os.environ, "HEED_ENV": str(up.env)}
        second = subprocess.run([*COMMAND, str(up.home)], env=given, capture_output=True, text=True, timeout=120)

        assert second.returncode == 1
        assert f"already runs on {up.home} (process {up.process.pid})" in second.stderr
        assert httpx.get(f"{up.urls['HTTP API']}/healthz").status_code == 200

    def test_ctrl_c_stops_everything(self, up: Running) -> None:
        started = psutil.Process(up.process.pid).children(recursive=True)
        commands = {process.pid: " ".join(process.cmdline())[:200] for process in started}

        up.process.send_signal(signal.SIGINT)

        assert up.process.wait(STOP_SECONDS) == 0
        _, alive = psutil.wait_procs(started, timeout=10)
        assert [commands[process.pid] for process in alive] == []
        with holding_home(load_settings(up.home).paths):
            pass  # the lock was given back
