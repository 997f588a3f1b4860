"""Errors over HTTP: RFC 9457 problem documents that say what was wrong, where, and what would be right."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from feedback.errors import HeedError

LOGGER = logging.getLogger("heed.web")
MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    remedy: str | None = None


class WrongRequest(HeedError):
    """Raised when a request cannot be read as what its route takes; carries its own status."""

    def __init__(self, status: int, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.status = status
        self.remedy = remedy


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The one handler: every error becomes a problem document; what nobody foresaw is logged, not told."""
    headers: dict[str, str] = {}
    remedy: str | None = getattr(error, "remedy", None)
    if isinstance(error, HeedError):
        status, detail = error.status, str(error)
    elif isinstance(error, HTTPException):
        status, detail = error.status_code, _http_detail(error)
        headers = dict(error.headers or {})
    else:
        LOGGER.exception("unforeseen error on %s %s", request.method, request.url.path, exc_info=error)
        status, detail = 500, "something went wrong inside Heed; its log says what"
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    problem = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=request.url.path, remedy=remedy
    )
    return Response(msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _http_detail(error: HTTPException) -> str:
    """Litestar's validation errors name each parameter; put that into one sentence."""
    extra = error.extra
    if isinstance(extra, list):
        words = [f"{e.get('key', '?')}: {e.get('message', '')}" for e in extra if isinstance(e, dict)]
        if words:
            return "; ".join(words)
    return error.detail or HTTPStatus(error.status_code).phrase
