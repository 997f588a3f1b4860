"""A client that sends bursts: one request on every connection at once, then it waits for all answers."""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType

from bench.serving.load import RECEIVE_BYTES, answer_status
from feedback.errors import ServiceError

ANSWER_SECONDS = 30.0


class Bursts:
    """Connections that stay open between bursts."""

    def __init__(self, port: int, *, connections: int, headers: Mapping[str, str]) -> None:
        """Open the connections.

        Args:
            port: Of a server on loopback.
            connections: How many requests a burst sends at most.
            headers: Of each request.
        """
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
        self._sockets = [socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) for _ in range(connections)]

    def post(self, path: str, bodies: Sequence[bytes]) -> Counter[int]:
        """Send each body on a connection of its own, all before any answer is read; answers by status.

        Raises:
            ServiceError: An answer did not come in time.
        """
        statuses: Counter[int] = Counter()
        with selectors.DefaultSelector() as selector:
            for connection, body in zip(self._sockets, bodies, strict=False):
                head = f"POST {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                selector.register(connection, selectors.EVENT_READ, bytearray())
            while selector.get_map():
                ready = selector.select(ANSWER_SECONDS)
                if not ready:
                    raise ServiceError(f"no answer within {ANSWER_SECONDS:g} s, after {sum(statuses.values())}")
                for key, _ in ready:
                    assert isinstance(key.fileobj, socket.socket)
                    arrived = key.fileobj.recv(RECEIVE_BYTES)
                    key.data.extend(arrived)
                    status = answer_status(bytes(key.data)) if arrived else 0
                    if status is not None:
                        statuses[status] += 1
                        selector.unregister(key.fileobj)
        return statuses

    def __enter__(self) -> Bursts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._sockets:
            connection.close()
