"""Supervisor reads the configuration of `heed up` as it was meant, whatever the home is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.services.processes import command_variables, processes, supervisor_config
from feedback.settings.home import load_settings

READ = """
import json, shlex, sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-n", "-c", sys.argv[1]], doc="")
every = [program for group in options.process_group_configs for program in group.process_configs]
programs = {program.name: [shlex.split(program.command), program.stdout_logfile] for program in every}
print(json.dumps({"programs": programs, "log": options.logfile, "pid": options.pidfile}))
"""


@pytest.mark.parametrize("name", ["home", "my home #1", "a ;b", "q\"uo'te", "ünï %(x)s 50%", "$HOME `ls`"])
def test_every_program_gets_its_command_and_its_log(tmp_path: Path, name: str) -> None:
    settings = load_settings(tmp_path / name)
    settings.paths.run_folder.mkdir(parents=True)
    file = settings.paths.run_folder / "supervisord.conf"
    file.write_text(supervisor_config(settings), encoding="utf-8")
    given = {**os.environ, **command_variables(settings)}

    command = [sys.executable, "-c", READ, str(file)]
    told = subprocess.run(command, cwd=file.parent, env=given, capture_output=True, text=True, timeout=60)

    assert told.returncode == 0, told.stderr
    read, run = json.loads(told.stdout), str(settings.paths.run_folder)
    assert read["programs"] == {p.name: [list(p.command), f"{p.name}.log"] for p in processes(settings)}
    assert (read["log"], read["pid"]) == (f"{run}/supervisord.log", f"{run}/supervisord.pid")


def test_no_argument_of_a_process_holds_a_password(tmp_path: Path) -> None:
    address = "postgresql://heed:hunter2@db/mlflow"
    settings = load_settings(tmp_path, mlflow_url=address)

    assert not [process.name for process in processes(settings) if "hunter2" in " ".join(process.command)]
    assert command_variables(settings)["MLFLOW_BACKEND_STORE_URI"] == address
