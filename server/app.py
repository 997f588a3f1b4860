"""The HTTP app: the endpoints of every part on one port."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from litestar import Litestar, MediaType, Request, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusController

from feedback.log.tracing import set_up_tracing
from feedback.settings.home import Settings, ensure_home, load_settings
from lakehouse.subject_key import verify_subject_key
from server.home_page import render_home_page
from server.parts import PARTS
from serving.item_paths import items_in_one_segment
from web.api_keys import ApiKeys
from web.guard import STATE_KEY
from web.measure import measure
from web.methods import head_like_get
from web.problem import problem_response


class MetricsEndpoint(PrometheusController):
    """`/metrics` in Prometheus' text format; counts only, no ids."""

    path = "/metrics"
    openmetrics_format = False


@get("/healthz", tags=["health"], summary="Whether the process is alive", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The API's description, where programs look for it."""
    return request.app.openapi_schema.to_schema()


def create_app(settings: Settings) -> Litestar:
    """The app over one home; opens the resources of every part."""
    ensure_home(settings)
    verify_subject_key(settings)
    set_up_tracing("heed-web")
    endpoints = [endpoint for part in PARTS for endpoint in part.endpoints]
    state = State({STATE_KEY: ApiKeys(settings.paths.api_keys_file), "settings": settings})
    with ExitStack() as opened:  # what is open is closed again where a later part cannot be opened
        for part in PARTS:
            opened.enter_context(part.resources(settings, state))
        close = opened.pop_all().close
    app = Litestar(
        route_handlers=[_home_page(endpoints), healthz, openapi_document, MetricsEndpoint, *endpoints],
        state=state,
        exception_handlers={Exception: problem_response},
        middleware=[measure],
        openapi_config=_openapi(),
        request_max_body_size=settings.http.max_body_bytes,
        on_shutdown=[lambda _: close()],
    )
    app.asgi_handler = items_in_one_segment(head_like_get(app.asgi_handler))
    return app


def app_from_environment() -> Litestar:
    """The app for the HTTP server's own process, which gets its settings by environment."""
    app = create_app(load_settings(os.environ.get("HEED_HOME")))
    # Exclude what lives as long as the process from garbage collection: scanning it takes tens of milliseconds.
    gc.collect()
    gc.freeze()
    return app


def _home_page(endpoints: Iterable[HTTPRouteHandler]) -> HTTPRouteHandler:
    page = render_home_page(endpoints)

    @get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
    def home_page() -> str:
        return page

    return home_page


def _openapi() -> OpenAPIConfig:
    key: dict[str, list[str]] = {"apiKey": []}
    schemes: dict[str, Any] = {"apiKey": SecurityScheme(type="http", scheme="bearer", description="An API key of Heed")}
    return OpenAPIConfig(
        title="Heed",
        version="0.1.0",
        description="Customer feedback in, personal recommendations out.",
        path="/openapi",
        render_plugins=[JsonRenderPlugin()],
        security=[key],
        components=Components(security_schemes=schemes),
    )
