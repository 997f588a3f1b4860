"""Progress of a long step: to the run's log, and to the listener of a headless run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import dagster as dg

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("heed_progress", default=None)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Pass progress to the listener while the block runs."""
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
