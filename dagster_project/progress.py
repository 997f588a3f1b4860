"""What a long step is doing, told while it runs: to the run's log, and to whoever started the run headless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import dagster as dg

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("heed_progress", default=None)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Pass on what steps tell while this lasts."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(words: str) -> None:
    """Say what the step is doing now."""
    dg.get_dagster_logger().info(words)
    listener = _listener.get()
    if listener is not None:
        listener(words)
