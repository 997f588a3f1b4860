"""A lean HTTP load client, run as a process of its own: what it measures is the server, not its caller's interpreter.

One thread and one selector keep every connection busy with one request at a time (a closed loop). Requests are bytes
before the clock starts, answers are only counted and timed.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from feedback.errors import ServiceError
from feedback.settings.source import ROOT

ANSWER_SECONDS = 10.0
RECEIVE_BYTES = 1 << 16
LENGTH = b"content-length:"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: every path once, in order, over some connections that stay open."""

    host: str = "127.0.0.1"
    port: int
    headers: dict[str, str]
    paths: list[str]
    connections: int = 8
    warm_up: int = 0
    """How many of the first answers are not reported: a new connection and a cold cache are not the steady state."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: milliseconds from the first byte sent to the last byte received, in order of arrival."""

    milliseconds: list[float]
    seconds: float
    statuses: dict[int, int]

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.milliseconds) / self.seconds if self.seconds > 0 else 0.0

    def percentile(self, percent: float) -> float:
        """Milliseconds within which this share of the answers came."""
        ranked = sorted(self.milliseconds)
        return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def measure(load: Load) -> Loaded:
    """Send a load from a child process.

    Raises:
        ServiceError: The client failed, or an answer was not 200.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving.load"],
        input=msgspec.json.encode(load),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise ServiceError(f"the load client failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    loaded = msgspec.json.decode(done.stdout, type=Loaded)
    if set(loaded.statuses) != {200}:
        raise ServiceError(f"the load was not answered with 200 alone, statuses: {loaded.statuses}")
    return loaded


class _Connection:
    """One open connection: the request under way, and what has come back of its answer."""

    __slots__ = ("received", "sent_at", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """Take what has arrived; the status once the answer is whole."""
        arrived = self.socket.recv(RECEIVE_BYTES)
        if not arrived:
            raise ServiceError("the server closed a connection in the middle of the load")
        self.received += arrived
        return answer_status(self.received)


def answer_status(received: bytes) -> int | None:
    """The status of an HTTP/1.1 answer with a length, or `None` while part of it is still to come."""
    head, ends, body = received.partition(b"\r\n\r\n")
    if not ends:
        return None
    place = head.lower().find(LENGTH)
    if place < 0:
        raise ServiceError("an answer came without content-length; the load client takes no other")
    length = int(head[place + len(LENGTH) :].partition(b"\r\n")[0])
    return int(head[9:12]) if len(body) >= length else None


def requests_of(host: str, paths: Sequence[str], headers: Mapping[str, str]) -> list[bytes]:
    """GET requests as the bytes that go over the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **headers}.items())
    return [f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode() for path in paths]


def run_load(load: Load) -> Loaded:
    """Keep every connection busy until each request was answered once."""
    waiting = iter(requests_of(load.host, load.paths, load.headers))
    milliseconds: list[float] = []
    statuses: dict[int, int] = {}
    answered = 0
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(load.connections):
            _next(_Connection(load.host, load.port), waiting, selector, new=True)
        while selector.get_map():
            ready = selector.select(ANSWER_SECONDS)
            if not ready:
                raise ServiceError(f"no answer within {ANSWER_SECONDS:g} s")
            for key, _ in ready:
                connection: _Connection = key.data
                status = connection.status()
                if status is None:
                    continue
                now = time.perf_counter()
                answered += 1
                if answered == load.warm_up:
                    started = now
                elif answered > load.warm_up:
                    milliseconds.append((now - connection.sent_at) * 1000)
                statuses[status] = statuses.get(status, 0) + 1
                _next(connection, waiting, selector)
    return Loaded(milliseconds=milliseconds, seconds=time.perf_counter() - started, statuses=statuses)


def _next(
    connection: _Connection, waiting: Iterator[bytes], selector: selectors.BaseSelector, *, new: bool = False
) -> None:
    request = next(waiting, None)
    if request is None:
        if not new:
            selector.unregister(connection.socket)
        connection.socket.close()
        return
    if new:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.send(request)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run_load(msgspec.json.decode(sys.stdin.buffer.read(), type=Load))))
