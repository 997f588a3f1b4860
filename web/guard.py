"""The API-key guard of a route: which scope a request must bring."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from feedback.errors import AccessDenied
from web.api_keys import ApiKeys, KeyScope

STATE_KEY = "api_keys"

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Forbidden(AccessDenied):
    """Raised when a key is known but lacks the scope."""

    status = 403


def require(scope: KeyScope) -> Guard:
    """A Litestar guard that asks for a key with a scope, in `Authorization: Bearer` or `X-API-Key`."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        keys: ApiKeys | None = connection.app.state.get(STATE_KEY)
        if keys is None:
            return
        secret = _secret(connection)
        if not secret:
            raise AccessDenied(
                "an API key is needed: send it as `Authorization: Bearer <key>`; `heed keys create` makes one"
            )
        key = keys.find(secret)
        if key is None:
            raise AccessDenied("this API key is not known here; `heed keys list` shows which are")
        if not key.allows(scope):
            raise Forbidden(f"API key {key.name!r} lacks the scope {scope}; it has {', '.join(key.scopes)}")

    return guard


def _secret(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return connection.headers.get("x-api-key", "").strip()
