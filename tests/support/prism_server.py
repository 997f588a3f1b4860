"""Beam's Prism runner for tests and benches: one process on loopback, built once from Beam's Go sources.

The program is built with `go install` into a cache and kept; it needs Go only for that first time. Prism keeps nothing
on disk, so a process that is gone takes its jobs along.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.errors import ServiceError

BEAM_VERSION = "2.77.0"
PACKAGE = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{BEAM_VERSION}"
CACHE = Path("~/.cache/heed-prism").expanduser()
BUILD_SECONDS = 1_200.0
"""The first build fetches and compiles some hundred packages: one minute on a good day, ten on a bad one."""
START_SECONDS = 30.0
STOP_SECONDS = 10.0
IDLE_SHUTDOWN = "15m"
"""A Prism that nobody stopped ends by itself when no job comes for so long."""
LOOPBACK = "--environment_type=LOOPBACK"
"""The job's stages run in the process that submitted it."""


class PrismMissing(ServiceError):
    """Raised when Prism is neither in the cache nor to be built."""


class Prism:
    """One Prism process; a restart gives it another port."""

    def __init__(self, folder: Path) -> None:
        self._program = build_prism()
        folder.mkdir(parents=True, exist_ok=True)
        self._output = folder / "prism.out"
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint = ""

    @property
    def endpoint(self) -> str:
        """Where it takes jobs."""
        return self._endpoint

    @property
    def pid(self) -> int:
        """The process id of the running Prism."""
        if self._process is None:
            raise ServiceError("Prism is not running")
        return self._process.pid

    @property
    def options(self) -> list[str]:
        """Beam's options that run a pipeline on it, with its stages in the submitting process."""
        return [f"--job_endpoint={self._endpoint}", LOOPBACK]

    def start(self) -> None:
        """Start it on a free port and wait until it takes jobs.

        Raises:
            ServiceError: It ended or did not answer in time; the message carries the end of its output.
        """
        if self._process is not None:
            raise ServiceError(f"Prism is already running at {self._endpoint}")
        command = [str(self._program), "--job_port=0", "--serve_http=false", "--log_kind=json"]
        with self._output.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, f"--idle_shutdown_timeout={IDLE_SHUTDOWN}"],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_SECONDS
        while (port := _job_port(self._output)) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self._output.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise ServiceError(f"Prism did not come up; its last words: {tail!r}")
            time.sleep(0.02)
        self._endpoint = f"127.0.0.1:{port}"

    def stop(self) -> None:
        """End it in order; killed where it does not end in time."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it at once, with every job."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


@contextmanager
def prism_runner(folder: Path) -> Iterator[Prism]:
    """A running Prism whose output lies in `folder`; stopped at the end.

    Raises:
        PrismMissing: It cannot be built.
        ServiceError: It does not come up.
    """
    runner = Prism(folder)
    try:
        runner.start()
        yield runner
    finally:
        runner.stop()


def build_prism() -> Path:
    """The program, from the cache; built where it is not there, by one process while others wait.

    Raises:
        PrismMissing: There is no Go, or the build failed.
    """
    program = CACHE / f"prism-v{BEAM_VERSION}"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise PrismMissing(f"Prism is not in {CACHE}, and there is no Go (go) to build it")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(go, program)
    return program


def _build(go: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        environment = {**os.environ, "GOBIN": scratch}
        try:
            done = subprocess.run(
                [go, "install", PACKAGE],
                env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise PrismMissing(f"building Prism {BEAM_VERSION} took more than {BUILD_SECONDS:g} s") from error
        if done.returncode != 0:
            raise PrismMissing(f"Prism {BEAM_VERSION} could not be built: {(done.stdout + done.stderr)[-2000:]}")
        (Path(scratch) / "prism").rename(program)


def _job_port(output: Path) -> int | None:
    """The port that the system chose, from the line in which Prism tells it."""
    for line in output.read_text(encoding="utf-8", errors="replace").splitlines():
        if "Serving JobManagement" in line and line.endswith("}"):
            return int(json.loads(line)["endpoint"].rpartition(":")[2])
    return None
