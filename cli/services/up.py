"""`heed up`: gateway, serving, landing stream, Dagster and MLflow, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import click

from cli.home_lock import holding_home
from cli.options import home_command
from cli.output import Output
from cli.services.processes import Process, command_variables, processes, supervisor_config
from feedback.errors import ServiceError
from feedback.intake import utc_now
from feedback.settings.home import Settings, override_settings, settings_environment
from lakehouse.subject_key import verify_subject_key
from server.process import refuse_taken_port
from server.public_key import WARNING, has_public_key, refuse_public_key
from web.api_keys import ApiKeys

READY_SECONDS = 120
FIRST_KEY = "first"


@click.command()
@click.option("--demo", is_flag=True, help="Load the demo's films and ratings and learn from them first.")
@click.option("--host", help="Address to listen on  [default: the setting host, 127.0.0.1]")
@home_command
def up(settings: Settings, output: Output, demo: bool, host: str | None) -> None:
    """Run everything on this home: HTTP API, landing stream, Dagster and MLflow; Ctrl-C stops all of it."""
    settings = override_settings(settings, host=host or settings.http.host)
    refuse_public_key(settings)
    verify_subject_key(settings)
    with holding_home(settings.paths) as lock:
        for what, port, name in (
            ("Heed's HTTP API", settings.http.port, "http_port"),
            ("Dagster", settings.dagster.port, "dagster_port"),
            ("landing's /metrics", settings.landing.metrics_port, "landing_metrics_port"),
            ("MLflow", settings.mlflow.port, "mlflow_port"),
        ):
            refuse_taken_port(what, settings.http.host, port, setting=name)
        if demo:
            _load_demo(settings, output)
        secret = first_key(settings.paths.api_keys_file)
        _run(settings, output, secret, lock)


def first_key(keys_file: Path) -> str | None:
    """The secret of the key that is made on first use; `None` where there are keys already."""
    keys = ApiKeys(keys_file)
    return None if keys.all() else keys.create(FIRST_KEY, ("admin",), now=utc_now())


def _load_demo(settings: Settings, output: Output) -> None:
    from cli.demo.steps import load_demo
    from cli.learning.run import run_and_show

    load_demo(settings, output)
    run_and_show(settings, output)


def _run(settings: Settings, output: Output, secret: str | None, lock: IO[str]) -> None:
    from dagster_project.instance import ensure_instance

    stop = threading.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda *_: stop.set())
    environment = settings_environment(os.environ, settings.home, http_host=settings.http.host, landing_expected="true")
    config = settings.paths.run_folder / "supervisord.conf"
    config.write_text(supervisor_config(settings), encoding="utf-8")
    config.chmod(0o600)
    command = [str(Path(sys.executable).parent / "supervisord"), "-n", "-c", str(config)]
    # A new session, so that Ctrl-C reaches only this process, which stops the others in order; it inherits the lock.
    supervisor = subprocess.Popen(
        command,
        start_new_session=True,
        cwd=settings.paths.run_folder,
        pass_fds=(lock.fileno(),),
        stdout=subprocess.DEVNULL,
        env={**environment, "DAGSTER_HOME": str(ensure_instance(settings)), **command_variables(settings)},
    )
    try:
        with output.progress("starting") as bar:
            waiting = [process for process in processes(settings) if process.probe]
            for number, process in enumerate(waiting):
                bar.label(f"starting {process.what}")
                _wait_ready(process, supervisor, stop, settings.paths.run_folder)
                bar.to(number + 1, total=len(waiting))
        if not stop.is_set():
            _welcome(settings, output, secret)
        while not stop.wait(0.5):
            if supervisor.poll() is not None:
                raise ServiceError(f"the supervisor ended by itself; see {settings.paths.run_folder}/supervisord.log")
    finally:
        output.say("stopping …")
        if supervisor.poll() is None:
            supervisor.terminate()
            supervisor.wait()
        output.say("stopped")


def _wait_ready(process: Process, supervisor: subprocess.Popen[bytes], stop: threading.Event, logs: Path) -> None:
    import httpx

    deadline = time.monotonic() + READY_SECONDS
    while not stop.is_set():
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(process.probe or "", timeout=5).status_code < 500:
                return
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise ServiceError(f"{process.what} did not start; see {logs}/{process.name}.log")
        stop.wait(0.2)


def _welcome(settings: Settings, output: Output, secret: str | None) -> None:
    urls = {process.what: process.url for process in processes(settings) if process.url}
    public = has_public_key(settings.paths.subject_key_file)
    output.emit({"ready": True, "urls": urls, "api_key": secret, "home": settings.home, "public_key": public})
    output.heading("Heed is up")
    if public:
        output.say(WARNING, style="yellow")
    output.table("", ("", ""), [*urls.items(), ("home", settings.home), ("logs", str(settings.paths.run_folder))])
    if secret:
        output.styled("API key (shown once): [bold]{}[/bold]", secret)
        key = secret
    else:
        output.say("API keys: those made before; `heed keys create NAME --scope …` makes another")
        key = "$HEED_KEY"
    event = '{"kind":"rating","user_id":"1","item_id":"50","value":5,"scale":[1,5]}'
    output.verbatim(f"""
Try:  curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
        {urls["HTTP API"]}/v1/feedback -d '{event}'
      curl -H 'Authorization: Bearer {key}' '{urls["HTTP API"]}/v1/recommendations?user_id=1'
Ctrl-C stops everything.""")
