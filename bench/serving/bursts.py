"""Bursts of 200 requests with idle pauses between them: do open files and memory of `heed serve` stay where they were?

The server's threads end in each pause (their idle time is shortened for that), so that every burst is met by new ones.
Open files and memory of the server's processes are sampled after each burst. Memory is what they hold alone: pages of
the log's file that they look at in place belong to the system's cache.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]

from bench.figures import Figure, below, exactly, reported
from bench.serving.burst_client import Bursts
from bench.serving.burst_server import IDLE_SECONDS
from cli.demo.demo import free_port
from feedback.errors import ServiceError
from feedback.intake import utc_now
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT
from web.api_keys import ApiKeys

BURSTS = 2_000
REQUESTS = 200
PAUSE_SECONDS = 2.5 * IDLE_SECONDS
START_SECONDS = 60.0
MORE_FILES = 8
"""A sample may meet a checkpoint of the log or a scrape."""
GROWTH_BAR = 1.05
MIB = 1024 * 1024

OPTIONS = (
    click.Option(
        ["--bursts"], type=click.IntRange(min=20), default=BURSTS, show_default=True, help="How many bursts to send."
    ),
)


def run(report: Callable[[str], None], *, bursts: int = BURSTS) -> Iterator[Figure]:
    """Open files and memory early and late, and every status that was answered."""
    with tempfile.TemporaryDirectory(prefix="heed-bursts-") as folder:
        settings = load_settings(Path(folder) / "home", port=free_port())
        with serving(settings) as server:
            statuses, files, memory = measure(settings, server, bursts, report)
    part = max(1, bursts // 10)
    early, late = slice(part, 2 * part), slice(-part, None)
    first, last = statistics.median(memory[early]), statistics.median(memory[late])
    yield exactly("answers that were not 202", sum(statuses.values()) - statuses[202])
    yield reported("open files after a tenth of the bursts", max(files[early]))
    yield below("more open files at the end", max(files[late]) - max(files[early]), MORE_FILES)
    yield reported("memory after a tenth of the bursts", round(first / MIB, 1), unit="MiB")
    yield reported("memory at the end", round(last / MIB, 1), unit="MiB")
    yield below("memory at the end against then", round(last / first, 3), GROWTH_BAR)


def measure(
    settings: Settings, server: psutil.Process, bursts: int, report: Callable[[str], None]
) -> tuple[Counter[int], list[int], list[int]]:
    """Send the bursts; statuses, and after each burst the open files and bytes of the server's processes."""
    key = ApiKeys(settings.paths.api_keys_file).create("bursts", ("feedback:write",), now=utc_now())
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    statuses: Counter[int] = Counter()
    files: list[int] = []
    memory: list[int] = []
    with Bursts(settings.http.port, connections=REQUESTS, headers=headers) as client:
        for number in range(bursts):
            statuses += client.post("/v1/feedback", [visit(number, n) for n in range(REQUESTS)])
            opened, held = sample(server)
            files.append(opened)
            memory.append(held)
            report(f"burst {number + 1:,}, {opened} open files, {held / MIB:,.0f} MiB")
            time.sleep(PAUSE_SECONDS)
    return statuses, files, memory


def visit(burst: int, number: int) -> bytes:
    """One event; every fourth of a burst was sent in the burst before as well."""
    burst -= number % 4 == 3 and burst > 0
    return b'{"kind":"view","id":"%d-%d","user_id":"%d","item_id":"i%d"}' % (burst, number, number, burst % 50)


def sample(server: psutil.Process) -> tuple[int, int]:
    """Open files, and bytes held alone, of a process and its children."""
    files = held = 0
    for process in (server, *server.children(recursive=True)):
        memory = process.memory_info()
        files += process.num_fds()
        held += memory.rss - memory.shared
    return files, held


@contextmanager
def serving(settings: Settings) -> Iterator[psutil.Process]:
    """The server on its port of loopback, ended in order.

    Raises:
        ServiceError: It did not start in time.
    """
    command = [sys.executable, "-m", "bench.serving.burst_server", settings.home, str(settings.http.port)]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_up(settings.http.port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"the server did not start within {START_SECONDS:g} s")
            time.sleep(0.1)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait()


def is_up(port: int) -> bool:
    """Whether the server answers."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
