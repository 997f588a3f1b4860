"""Endpoints are registered in one place: their part's list, and from there they are served and shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from litestar import get, post
from litestar.datastructures import State

from feedback.settings.home import Settings
from server import app
from server.home_page import render_home_page
from server.parts import PARTS
from web.part import HttpPart


@get("/v1/items/{item_id:str}/opinions", summary="What people say of <one> item", sync_to_thread=False)
def opinions() -> None:
    """An endpoint with a typed parameter."""


@post(["/v1/b", "/v1/a"], sync_to_thread=False)
def unnamed() -> None:
    """An endpoint with two paths and no summary."""


def test_the_home_page_has_a_row_for_every_endpoint() -> None:
    rows = [line for line in render_home_page([opinions, unnamed]).splitlines() if "/v1/" in line]

    assert rows == [
        "<tr><td><code>GET /v1/items/{item_id}/opinions</code><td>What people say of &lt;one&gt; item",
        "<tr><td><code>POST /v1/a</code><td>",
        "<tr><td><code>POST /v1/b</code><td>",
    ]


def test_every_endpoint_of_the_app_has_a_summary() -> None:
    assert [e.paths for part in PARTS for e in part.endpoints if not e.summary] == []


def test_a_part_that_cannot_be_opened_closes_those_before_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    @contextmanager
    def opens(settings: Settings, state: State) -> Iterator[None]:
        told.append("opened")
        try:
            yield
        finally:
            told.append("closed")

    @contextmanager
    def fails(settings: Settings, state: State) -> Iterator[None]:
        raise OSError("no such thing")
        yield

    monkeypatch.setattr(app, "PARTS", (HttpPart((opinions,), opens), HttpPart((), fails)))

    with pytest.raises(OSError, match="no such thing"):
        app.create_app(settings)
    assert told == ["opened", "closed"]
