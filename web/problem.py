"""Errors over HTTP: RFC 9457 problem documents that say what was wrong, where, and what would be right.

Only errors that are made for clients are sent with their message. Other messages may name files and addresses of the
server: they are logged under an incident number, and the client gets that number and a general sentence.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from feedback.errors import (
    AccessDenied,
    HeedError,
    LakeError,
    LearningError,
    LogError,
    ModelUnusable,
    NoModel,
    ServiceError,
    TableMissing,
)

LOGGER = logging.getLogger("heed.web")
MEDIA_TYPE = "application/problem+json"
INSIDE = "something went wrong inside Heed"
PLAIN_WORDS: dict[type[HeedError], str] = {
    NoModel: "no model has been published yet; `heed run` lands what was ingested, learns from it and publishes one",
    ModelUnusable: "the published model cannot be loaded; `heed run` publishes another, `heed rollback` goes back",
    LearningError: "the model cannot be used now",
    LogError: "the feedback log cannot be used now; send the request again",
    TableMissing: "nothing has landed yet in a table that this answer needs",
    LakeError: "the tables cannot be used now",
    ServiceError: "a part that Heed needs does not answer",
    HeedError: INSIDE,
}
"""The sentence for clients, by the nearest class of an error."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document; the log tells more under the incident's number."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    remedy: str | None = None
    incident: str | None = None


class WrongRequest(HeedError):
    """Raised when a request cannot be read as what its route takes; made for the client, with its own status."""

    def __init__(self, status: int, detail: str, remedy: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.remedy = remedy
        self.headers = dict(headers or {})


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The one handler: every error becomes a problem document."""
    headers: dict[str, str] = {}
    incident: str | None = None
    if isinstance(error, WrongRequest | AccessDenied):
        status, detail = error.status, str(error)
        headers = getattr(error, "headers", headers)
    elif isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        status, detail = error.status_code, _http_detail(error)
        headers = dict(error.headers or {})
    else:
        detail = plain_words(error)
        incident = log_incident(error, f"{request.method} {request.url.path}")
        status = max(error.status, 500) if isinstance(error, HeedError) else 500
    if status == HTTPStatus.UNAUTHORIZED:
        headers = {**headers, "WWW-Authenticate": "Bearer"}
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        remedy=getattr(error, "remedy", None),
        incident=incident,
    )
    return Response(msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def plain_words(error: Exception) -> str:
    """The sentence for clients: never a path, an address or a stack."""
    return next((PLAIN_WORDS[kind] for kind in type(error).__mro__ if kind in PLAIN_WORDS), INSIDE)


def log_incident(error: Exception, where: str) -> str:
    """Log an error with all that it says; the number that finds it there."""
    incident = uuid.uuid4().hex[:12]
    # Our own errors are complete in their message; others are logged with a stack.
    stack = None if isinstance(error, HeedError) else error
    LOGGER.error("incident %s: %s: %s: %s", incident, where, type(error).__name__, error, exc_info=stack)
    return incident


def _http_detail(error: HTTPException) -> str:
    """Litestar's validation errors name each parameter; put that into one sentence."""
    extra = error.extra
    if isinstance(extra, list):
        words = [f"{e.get('key', '?')}: {e.get('message', '')}" for e in extra if isinstance(e, dict)]
        if words:
            return "; ".join(words)
    return error.detail or HTTPStatus(error.status_code).phrase
