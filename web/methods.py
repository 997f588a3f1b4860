"""HEAD is answered like GET, on every route; `Allow` says so."""

from __future__ import annotations

from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

NAMES_METHODS = (204, 405)
"""Answers that carry `Allow`: to OPTIONS, and to a method that a route does not have."""

RawHeaders = Iterable[tuple[bytes, bytes]]


def head_like_get(app: ASGIApp) -> ASGIApp:
    """An app whose GET routes answer HEAD with the same status and headers, and no body."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"] = "GET"

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in NAMES_METHODS:
                message["headers"] = allowing_head(message["headers"])
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await app(scope, receive, told)

    return answered


def allowing_head(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """RawHeaders whose `Allow`, where there is one, names HEAD beside GET."""
    return [(name, _with_head(value) if name.lower() == b"allow" else value) for name, value in headers]


def _with_head(allow: bytes) -> bytes:
    methods = {method.strip() for method in allow.decode("latin-1").split(",")}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()
