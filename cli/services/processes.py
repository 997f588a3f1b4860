"""The processes of `heed up`, kept alive and stopped together by supervisor."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from feedback.settings.home import Settings
from feedback.settings.source import ROOT

STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Process:
    """One program: its command, and where a person or a probe finds it."""

    name: str
    what: str
    command: tuple[str, ...]
    url: str | None = None
    probe: str | None = None
    stops_its_own: bool = True
    """Whether its children end with it; otherwise the stop signal goes to all of them."""


def processes(settings: Settings) -> tuple[Process, ...]:
    """What `heed up` runs, in the order in which it starts."""
    heed = (sys.executable, "-m", "cli")
    home, metrics_port = ("--home", settings.home), str(settings.landing.metrics_port)
    tools = Path(sys.executable).parent
    workspace = str(ROOT / "workspace.yaml")
    ports = (settings.http.port, settings.dagster.port, settings.mlflow.port)
    web, dagster, mlflow = (f"http://{_reached_at(settings.http.host)}:{port}" for port in ports)
    return (
        Process("web", "HTTP API", (*heed, "serve", "--home", settings.home), web, f"{web}/healthz"),
        Process("landing", "landing stream", (*heed, "land", "--stream", *home, "--metrics-port", metrics_port)),
        Process("maintenance", "maintenance of the tables", _maintenance(heed, settings)),
        Process(
            "dagster-webserver",
            "Dagster",
            (
                str(tools / "dagster-webserver"),
                "-w",
                workspace,
                "-h",
                settings.http.host,
                "-p",
                str(settings.dagster.port),
            ),
            dagster,
            f"{dagster}/server_info",
            stops_its_own=False,  # code servers outlive their parent until they miss its heartbeat
        ),
        Process(
            "dagster-daemon",
            "Dagster daemon",
            (str(tools / "dagster-daemon"), "run", "-w", workspace),
            stops_its_own=False,
        ),
        Process("mlflow", "MLflow", _mlflow(tools, settings), mlflow, f"{mlflow}/health", stops_its_own=False),
    )


def supervisor_config(settings: Settings) -> str:
    """Supervisor's configuration: foreground, one log file a program, restarts on failure.

    It names no path: supervisor starts in the run folder and reads commands from `command_variables`. Written into
    the file, a `#` or `;` behind a space would begin a comment, and a `%` would be expanded.
    """
    sections = [
        "[supervisord]\nnodaemon=true\nsilent=true\nlogfile=supervisord.log\npidfile=supervisord.pid\nchildlogdir=.\n"
    ]
    sections += [
        f"[program:{process.name}]\ncommand=%(ENV_{_variable(process)})s\nautorestart=true\nstartsecs=2\n"
        f"startretries=5\nstopsignal=TERM\nstopwaitsecs={STOP_SECONDS}\n"
        f"stopasgroup={str(not process.stops_its_own).lower()}\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile={process.name}.log\nstdout_logfile_maxbytes=20MB\n"
        "stdout_logfile_backups=2\n"
        for process in processes(settings)
    ]
    return "\n".join(sections)


def command_variables(settings: Settings) -> dict[str, str]:
    """The environment that supervisor reads each program's command from, and MLflow the address of its store.

    Every user of the machine can read the arguments of a process, and the address may hold a password.
    """
    commands = {_variable(process): shlex.join(process.command) for process in processes(settings)}
    return {**commands, "MLFLOW_BACKEND_STORE_URI": settings.mlflow.url}


def _variable(process: Process) -> str:
    return f"HEED_UP_{process.name.upper().replace('-', '_')}"


def _maintenance(heed: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    return (*heed, "maintain", "--every", str(settings.maintenance.every_seconds), "--home", settings.home)


def _mlflow(tools: Path, settings: Settings) -> tuple[str, ...]:
    return (
        str(tools / "mlflow"), "server",
        "--default-artifact-root", settings.paths.mlflow_artifacts.as_uri(), "--host", settings.http.host,
        "--port", str(settings.mlflow.port), "--workers", "1",
    )  # fmt: skip


def _reached_at(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host
