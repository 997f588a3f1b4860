"""The load client against a small server whose answers are known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.serving.load import Load, Loaded, answer_status, measure, requests_of
from feedback.errors import ServiceError


class Echo(BaseHTTPRequestHandler):
    """200 with the path as body; 503 for /broken."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - shared by all requests of a test

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        body = self.path.encode() * 20_000
        self.send_response(503 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Echo.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_every_path_is_asked_for_once_with_the_headers_and_timed(port: int) -> None:
    paths = [f"/{number}" for number in range(30)]

    loaded = measure(Load(port=port, headers={"Authorization": "Bearer x"}, paths=paths, connections=4, warm_up=10))

    assert sorted(Echo.asked) == sorted((path, "Bearer x") for path in paths)
    assert loaded.statuses == {200: 30}
    assert len(loaded.milliseconds) == 20
    assert 0 < loaded.percentile(50) <= loaded.percentile(99) <= max(loaded.milliseconds)
    assert loaded.per_second > 0


def test_an_answer_that_is_not_200_fails_the_measurement(port: int) -> None:
    with pytest.raises(ServiceError, match="503"):
        measure(Load(port=port, headers={}, paths=["/a", "/broken"], connections=1))


def test_a_server_that_is_not_there_is_a_clear_error(port: int) -> None:
    with pytest.raises(ServiceError, match="Connection refused"):
        measure(Load(port=1, headers={}, paths=["/a"]))


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200),
        (b"HTTP/1.1 404 Not Found\r\nx: y\r\ncontent-length: 0\r\n\r\n", 404),
    ],
    ids=["half a head", "half a body", "whole", "without body"],
)
def test_an_answer_is_whole_once_its_body_is(received: bytes, status: int | None) -> None:
    assert answer_status(received) == status


def test_requests_are_bytes_before_the_clock_starts() -> None:
    assert requests_of("h", ["/a?b=1"], {"X": "y"}) == [b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"]


def test_percentiles_are_values_that_were_seen() -> None:
    loaded = Loaded(milliseconds=[3.0, 1.0, 2.0], seconds=1.0, statuses={200: 3})

    assert [loaded.percentile(percent) for percent in (0, 50, 99, 100)] == [1.0, 2.0, 3.0, 3.0]
