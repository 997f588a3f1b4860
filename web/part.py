"""A part of the HTTP app: endpoints, and the resources that they use while the app runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from feedback.settings.home import Settings

LOG_KEY = "log"
"""Where the gateway puts the feedback log into the app's state, for other parts to read."""

Resources = Callable[[Settings, State], AbstractContextManager[None]]
"""Opens what the endpoints need, puts it into the app's state, and closes it when the app ends.

It sees what the parts before it have put into the state."""


def no_resources(settings: Settings, state: State) -> AbstractContextManager[None]:
    """The resources of endpoints that need none."""
    del settings, state
    return nullcontext()


@dataclass(frozen=True, slots=True)
class HttpPart:
    """Endpoints that belong together. An endpoint is registered in its part, a part in `server.parts`."""

    endpoints: tuple[HTTPRouteHandler, ...]
    resources: Resources = no_resources
