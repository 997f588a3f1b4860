"""Run the HTTP app under granian: one worker process, loopback unless told otherwise."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import socket
from typing import Any

from feedback.errors import PortTaken
from feedback.settings.home import Settings, ensure_home
from lakehouse.subject_key import verify_subject_key
from server.public_key import refuse_public_key

BACKLOG = 1024
APP = "server.app:app_from_environment"


def run_server(settings: Settings, *, app: str = APP) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Of the home.
        app: Where the server's process finds what makes the app, as `module:function`.

    Raises:
        PortTaken: Something else listens on the port.
        PublicKey: The home is the demo's, and the host is not loopback.
    """
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels
    from granian.server import Server

    ensure_home(settings)
    refuse_public_key(settings)
    verify_subject_key(settings)
    refuse_taken_port("Heed's HTTP API", settings.http.host, settings.http.port, setting="http_port")
    os.environ["HEED_HOME"] = settings.home
    # One thread per solve: with more, small matrices wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # The worker is a fresh process: delta-rs, which looked into the lake above, does not work in a forked one.
    multiprocessing.set_start_method("spawn", force=True)
    Server(
        app,
        address=settings.http.host,
        port=settings.http.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        backlog=BACKLOG,
        log_level=LogLevels.warning,
        websockets=False,
    ).serve(target_loader=load_app)


def load_app(app: str) -> Any:  # noqa: ANN401 - an ASGI app
    """Make the app in the worker process; granian's own loader would take modules from the current directory first."""
    module, _, function = app.partition(":")
    return getattr(importlib.import_module(module), function)()


def refuse_taken_port(what: str, host: str, port: int, *, setting: str) -> None:
    """Say by name which service cannot have its port.

    Raises:
        PortTaken: Something else listens there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"{what} cannot listen on {host}:{port}: {error.strerror}; "
                f"stop what uses the port, or choose another with HEED_{setting.upper()}=…"
            ) from error
