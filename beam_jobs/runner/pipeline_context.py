"""What the parts of a pipeline in one process share beside Beam: when to stop, how far it is, what outlives it.

A DoFn is pickled and cannot carry an event, a thread or a callback; it carries a token. On a remote runner the caller
of a token is unknown, and nothing is stopped, reported or kept: there the runner does all three.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from feedback.errors import HeedError

OnProgress = Callable[[int], None]
Rewind = Callable[[int], None]
"""Sends a reader back to the committed positions, unless it went there after the generation given."""


class Closable(Protocol):
    """What a caller keeps for its pipelines."""

    def close(self) -> None:
        """Release it."""
        ...


Kept = TypeVar("Kept", bound=Closable)


def ignore_progress(done: int) -> None:
    """The progress callback of callers that show none."""


@dataclass
class PipelineContext:
    """The caller of one pipeline, or of several that follow one another."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Ends the pipeline that runs now."""
    on_progress: OnProgress = ignore_progress
    failure: HeedError | None = None
    """Why the pipeline failed, in our own words; Beam passes on only a text."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What the next pipeline takes over from this one."""

    def close(self) -> None:
        """Release what was kept."""
        for thing in self.kept.values():
            thing.close()
        self.kept.clear()


_CALLERS: dict[str, PipelineContext] = {}
_READERS: dict[str, Rewind] = {}
_NOBODY = PipelineContext()


@contextmanager
def calling(caller: PipelineContext) -> Iterator[str]:
    """Register a caller for the life of its pipelines; yields the token."""
    token = uuid.uuid4().hex
    _CALLERS[token] = caller
    try:
        yield token
    finally:
        del _CALLERS[token]
        _READERS.pop(token, None)
        caller.close()


def context_of(token: str) -> PipelineContext:
    """The caller of a token, or nobody."""
    return _CALLERS.get(token, _NOBODY)


def keep(token: str, name: str, make: Callable[[], Kept]) -> Kept:
    """The caller's thing of that name, made on first use; where the caller is elsewhere, one of one's own."""
    caller = _CALLERS.get(token)
    if caller is None:
        return make()
    if name not in caller.kept:
        caller.kept[name] = make()
    found: Kept = caller.kept[name]
    return found


def release(token: str, thing: Closable) -> None:
    """Close a thing, unless the caller keeps it for its next pipeline."""
    caller = _CALLERS.get(token)
    if caller is None or not any(thing is kept for kept in caller.kept.values()):
        thing.close()


def reading(token: str, rewind: Rewind) -> None:
    """Say how the reader of a pipeline in this process is sent back."""
    _READERS[token] = rewind


def reader_of(token: str) -> Rewind | None:
    """How the reader is sent back, if it is in this process."""
    return _READERS.get(token)


@contextmanager
def failing(token: str) -> Iterator[None]:
    """Tell the caller of a token about an error of ours that ends its pipeline."""
    try:
        yield
    except HeedError as error:
        context_of(token).failure = error
        raise
