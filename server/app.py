"""The one HTTP app: gateway and serving on one port."""

from __future__ import annotations

import gc
import os
from typing import Any

from litestar import Litestar, MediaType, Request, get
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusController

from feedback.intake import open_intake
from feedback.log.tracing import set_up_tracing
from feedback.settings.home import Settings, ensure_home, load_settings
from gateway.api import INTAKE_KEY
from gateway.api import build_router as gateway_router
from lakehouse.subject_key import verify_subject_key
from serving.api import LANDING_KEY, SERVICE_KEY
from serving.api import build_router as serving_router
from serving.item_paths import items_in_one_segment
from serving.landing_watch import LandingWatch
from serving.service import open_service
from web.api_keys import ApiKeys
from web.guard import STATE_KEY
from web.measure import measure
from web.methods import head_like_get
from web.problem import problem_response

_HOME_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Heed</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem;color:#1b2430}
code{background:#f1f4f8;padding:.1rem .3rem;border-radius:4px}
td{padding:.25rem 1rem .25rem 0;vertical-align:top}</style>
<h1>Heed</h1><p>What your customers say becomes what they see next.</p><table>
<tr><td><code>POST /v1/feedback</code><td>send events; each gets a verdict
<tr><td><code>GET /v1/recommendations?user_id=…</code><td>a list with reasons
<tr><td><code>GET /v1/items/{id}/similar</code><td>items like this one; <code>/v1/similar?item_id=…</code> as well
<tr><td><a href="/readyz"><code>/readyz</code></a><td>what is ready and what is not
<tr><td><a href="/metrics"><code>/metrics</code></a><td>figures for Prometheus
<tr><td><a href="/openapi.json"><code>/openapi.json</code></a><td>the whole API</table></html>"""


class Metrics(PrometheusController):
    """`/metrics` in Prometheus' text format; counts only, no ids."""

    path = "/metrics"
    openmetrics_format = False


@get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def home_page() -> str:
    """Name the endpoints for a person who opens the port in a browser."""
    return _HOME_PAGE


@get("/healthz", tags=["health"], summary="Whether the process is alive", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The API's description, where programs look for it."""
    return request.app.openapi_schema.to_schema()


def create_app(settings: Settings) -> Litestar:
    """The app over one home; opens the log, the online store and the current bundle."""
    ensure_home(settings)
    verify_subject_key(settings)
    set_up_tracing("heed-web")
    service = open_service(settings)
    intake = open_intake(settings)
    watch = LandingWatch(settings, intake.log)
    watch.start()

    def close(_: Litestar) -> None:
        watch.close()
        service.close()
        intake.log.close()

    app = Litestar(
        route_handlers=[home_page, healthz, openapi_document, Metrics, gateway_router(), serving_router()],
        state=State(
            {
                STATE_KEY: ApiKeys(settings.paths.api_keys_file),
                INTAKE_KEY: intake,
                SERVICE_KEY: service,
                LANDING_KEY: watch,
                "settings": settings,
            }
        ),
        exception_handlers={Exception: problem_response},
        middleware=[measure],
        openapi_config=_openapi(),
        request_max_body_size=settings.http.max_body_bytes,
        on_shutdown=[close],
    )
    app.asgi_handler = items_in_one_segment(head_like_get(app.asgi_handler))
    return app


def app_from_environment() -> Litestar:
    """The app for the HTTP server's own process, which gets its settings by environment."""
    app = create_app(load_settings(os.environ.get("HEED_HOME")))
    # What stands for the process's life is left out of garbage collection: walking it takes tens of milliseconds.
    gc.collect()
    gc.freeze()
    return app


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
