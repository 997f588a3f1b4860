"""Processes that are quick to start, so that killing hundreds of them is cheap.

Importing Beam takes seconds, so one server process imports everything and forks a child for each start. It imports
and does nothing else: deltalake and Polars must not be used before a fork. Children write to a file, never to the
terminal of a bench or a test.
"""

from __future__ import annotations

import ctypes
import multiprocessing as mp
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from feedback.settings.source import ROOT

PR_SET_PDEATHSIG = 1
PRELOADED = (
    "apache_beam.runners.portability.fn_api_runner",
    "beam_jobs.landing",
    "beam_jobs.pipeline",
    "bench.killing.sender",
    "bench.killing.worker",
    "feedback.log.kafka.log",
    "feedback.log.sqlite",
    "online.sqlite.store",
    "pyarrow.json",
    "pyarrow.parquet",
)


@cache
def context() -> ForkServerContext:
    """The context that forks from a server which has imported everything."""
    found = mp.get_context("forkserver")
    found.set_forkserver_preload(list(PRELOADED))
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), known)))  # what the server inherits
    return found


def shared_number(value: float) -> ctypes.c_double:
    """A number that all processes see change; without a lock, which a process that is killed would keep for ever."""
    return context().RawValue(ctypes.c_double, value)


class Child:
    """One process that is going to be killed, stopped or ended."""

    def __init__(self, name: str, body: Callable[..., None], *arguments: object, output: Path) -> None:
        self.name = name
        self._process: ForkServerProcess = context().Process(
            target=_speaking_to, args=(str(output), body, *arguments), name=name, daemon=True
        )
        self._process.start()
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; `None` while it lives."""
        return self._process.exitcode

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.exitcode is None

    @property
    def stopped(self) -> bool:
        """Whether it lives, but was stopped by a signal."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] == "T"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.signal(signal.SIGKILL)
        self._process.join()

    def end(self, *, timeout: float) -> int | None:
        """Ask it to end and wait; its exit code, or `None` where it does not end in time."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self._process.join(timeout)
        return self._process.exitcode


def _speaking_to(output: str, body: Callable[..., None], *arguments: object) -> None:
    _die_with_the_server()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())
    body(*arguments)


def _die_with_the_server() -> None:
    """Linux kills this process when the server ends, which ends with the bench: no worker outlives it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
