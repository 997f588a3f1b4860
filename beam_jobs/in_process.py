"""What pipelines that run in this process share with their caller: when to stop, and how far they are.

A DoFn is pickled and cannot carry an event or a callback; it carries a token. On a remote runner the token is
unknown, and nothing is stopped or reported: there the runner does both.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OnProgress = Callable[[int], None]


def ignore_progress(done: int) -> None:
    """The progress callback of callers that show none."""


@dataclass
class Caller:
    """One pipeline's caller."""

    stop: threading.Event = field(default_factory=threading.Event)
    on_progress: OnProgress = ignore_progress


_CALLERS: dict[str, Caller] = {}
_NOBODY = Caller()


@contextmanager
def calling(caller: Caller) -> Iterator[str]:
    """Register a caller for the life of its pipeline; yields the token."""
    token = uuid.uuid4().hex
    _CALLERS[token] = caller
    try:
        yield token
    finally:
        del _CALLERS[token]


def caller_of(token: str) -> Caller:
    """The caller of a token, or nobody."""
    return _CALLERS.get(token, _NOBODY)
