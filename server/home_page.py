"""The page at `/`: the endpoints, for a person who opens the port in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from litestar.handlers import HTTPRouteHandler

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Heed</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem;color:#1b2430}}
code{{background:#f1f4f8;padding:.1rem .3rem;border-radius:4px}}
td{{padding:.25rem 1rem .25rem 0;vertical-align:top}}</style>
<h1>Heed</h1><p>What your customers say becomes what they see next.</p><table>
{rows}
<tr><td><a href="/metrics"><code>/metrics</code></a><td>figures for Prometheus
<tr><td><a href="/openapi.json"><code>/openapi.json</code></a><td>the whole API</table></html>"""

_TYPED = re.compile(r"\{(\w+):\w+\}")


def render_home_page(endpoints: Iterable[HTTPRouteHandler]) -> str:
    """The page, with a row for each endpoint: its method, its path and its summary."""
    return _PAGE.format(rows="\n".join(row for endpoint in endpoints for row in _rows(endpoint)))


def _rows(endpoint: HTTPRouteHandler) -> Iterator[str]:
    for path in sorted(_TYPED.sub(r"{\1}", path) for path in endpoint.paths):
        for method in sorted(endpoint.http_methods):
            shown = escape(f"{method} {path}")
            yield f"<tr><td><code>{shown}</code><td>{escape(endpoint.summary or '')}"
