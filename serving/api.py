"""Recommendations over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response.base import ASGIResponse

from feedback.errors import HeedError, ModelUnusable
from feedback.settings.home import Settings
from serving.item_paths import decode_item
from serving.landing_watch import LandingStatus, LandingWatch
from serving.lists import ListedItem
from serving.service import Served, Service, open_service
from web.guard import require
from web.part import LOG_KEY, HttpPart
from web.problem import PLAIN_WORDS, WrongRequest, log_incident, plain_words

SERVICE_KEY = "service"
LANDING_KEY = "landing"
MAX_LIST = 1000

Length = Annotated[int | None, QueryParameter(ge=1, le=MAX_LIST, description="how many items")]
PersonId = Annotated[str | None, QueryParameter(max_length=256)]


class SimilarItems(msgspec.Struct, frozen=True, kw_only=True):
    """Items near one item."""

    item_id: str
    model_version: str
    items: tuple[ListedItem, ...]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is ready, and the first thing that is not."""

    ready: bool
    model_version: str | None
    problems: list[str]
    landing: LandingStatus
    """What is known of landing; its problem is one of `problems` only where landing is expected."""


@get(
    "/v1/recommendations",
    guards=[require("recommendations:read")],
    summary="A person's list",
    tags=["recommendations"],
    responses={200: ResponseSpec(Served, description="the list, best first")},
    sync_to_thread=False,
)
def recommendations(
    request: Request[Any, Any, Any],
    user_id: PersonId = None,
    anonymous_id: PersonId = None,
    n: Length = None,
) -> ASGIResponse:
    """The list of one person, with a reason for each item; a popular list for somebody unknown."""
    service: Service = request.app.state[SERVICE_KEY]
    settings: Settings = request.app.state["settings"]
    if user_id:
        subject = service.subject_of(user_id)
    elif anonymous_id:
        subject = service.subject_of(anonymous_id, "anonymous")
    else:
        raise WrongRequest(400, "whose list? neither user_id nor anonymous_id is given", "add ?user_id=…")
    return ASGIResponse(
        body=service.recommend_json(subject, n or settings.serving.list_length), media_type=MediaType.JSON
    )


@get(
    "/v1/items/{item_id:str}/similar",
    guards=[require("recommendations:read")],
    summary="Items like this one",
    tags=["recommendations"],
    sync_to_thread=False,
)
def similar(request: Request[Any, Any, Any], item_id: FromPath[str], n: Length = None) -> SimilarItems:
    """Items that the same people like; an id may hold anything, with its reserved characters percent-encoded."""
    return _similar(request, decode_item(item_id), n)


@get(
    "/v1/similar",
    guards=[require("recommendations:read")],
    summary="Items like the one named as a parameter",
    tags=["recommendations"],
    sync_to_thread=False,
)
def similar_to(
    request: Request[Any, Any, Any],
    item_id: Annotated[str | None, QueryParameter(description="the item's id, whatever it holds")] = None,
    n: Length = None,
) -> SimilarItems:
    """The same as `/v1/items/{item_id}/similar`, for ids that a path or a proxy on the way would change."""
    if not item_id:
        raise WrongRequest(400, "which item? item_id is not given", "add ?item_id=…")
    return _similar(request, item_id, n)


def _similar(request: Request[Any, Any, Any], item_id: str, n: int | None) -> SimilarItems:
    service: Service = request.app.state[SERVICE_KEY]
    settings: Settings = request.app.state["settings"]
    found = service.similar(item_id, n or settings.serving.list_length)
    if found is None:
        raise WrongRequest(
            404, f"item {item_id!r} is not in the current model", "send it as an `item` event, then `heed run`"
        )
    return SimilarItems(item_id=item_id, model_version=service.bundle.version, items=found)


@get("/readyz", tags=["health"], summary="Whether lists can be served", sync_to_thread=False)
def readyz(request: Request[Any, Any, Any]) -> Response[Readiness]:
    """200 when a model is loaded, the online store answers and landing, if expected, gets on; else 503 and why."""
    service: Service = request.app.state[SERVICE_KEY]
    watch: LandingWatch = request.app.state[LANDING_KEY]
    landing = watch.status
    problems: list[str] = []
    version: str | None = None
    try:
        version = service.bundle.version
        service.online_ready()
    except HeedError as error:
        log_incident(error, "GET /readyz")
        problems.append(plain_words(error))
    if service.load_error:  # the service has logged it
        problems.append(PLAIN_WORDS[ModelUnusable])
    problems += filter(None, [service.watcher_problem(), landing.problem if landing.expected else ""])
    ready = version is not None and not problems
    return Response(
        Readiness(ready=ready, model_version=version, problems=list(dict.fromkeys(problems)), landing=landing),
        status_code=200 if ready else 503,
    )


@contextmanager
def _resources(settings: Settings, state: State) -> Iterator[None]:
    with ExitStack() as opened:
        service = state[SERVICE_KEY] = open_service(settings)
        opened.callback(service.close)
        watch = state[LANDING_KEY] = LandingWatch(settings, state[LOG_KEY])
        watch.start()
        opened.callback(watch.close)
        yield


PART = HttpPart((recommendations, similar, similar_to, readyz), _resources)
