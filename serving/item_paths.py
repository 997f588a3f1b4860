"""Item ids in paths: an id is one segment of the path, even if it contains slashes.

The router splits a path at slashes after the server has decoded it, so `a%2Fb` would be two segments. Here the id is
taken out of the undecoded path and put back with every reserved character encoded; the route decodes it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote, unquote_to_bytes

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

BEFORE = "/v1/items/"
BEHIND = "/similar"


def items_in_one_segment(app: ASGIApp) -> ASGIApp:
    """An app that gets paths with an item id as its routes can match them."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith(BEFORE):
            item_id = item_in_path(scope.get("raw_path") or quote(scope["path"]).encode())
            if item_id:
                scope["path"] = f"{BEFORE}{encode_item(item_id)}{BEHIND}"
        await app(scope, receive, send)

    return routed


def item_in_path(raw_path: bytes) -> str | None:
    """The item id of an undecoded path; `None` where it is not a path of an item."""
    path = raw_path.decode("latin-1").partition("?")[0].removesuffix("/")
    if not (path.startswith(BEFORE) and path.endswith(BEHIND) and len(path) > len(BEFORE) + len(BEHIND)):
        return None
    return unquote_to_bytes(path[len(BEFORE) : -len(BEHIND)].encode("latin-1")).decode("utf-8", "replace")


def encode_item(item_id: str) -> str:
    """An item id as one segment of a path."""
    return quote(item_id, safe="")


def decode_item(segment: str) -> str:
    """The item id of a path's segment."""
    return unquote(segment)
