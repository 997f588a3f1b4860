"""The state that the parts of one process's pipelines share outside Beam: stop event, progress, readers, failure.

A DoFn is pickled and cannot carry an event, a thread or a callback, so it carries the id of a registered context. On a
remote runner the id is unknown there: nothing is stopped, reported or shared, and the runner does all three.
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
    """A resource that a context shares between its pipelines."""

    def close(self) -> None:
        """Release it."""
        ...


Resource = TypeVar("Resource", bound=Closable)


def ignore_progress(done: int) -> None:
    """The progress callback where nobody shows progress."""


@dataclass
class PipelineContext:
    """Process-local state of a pipeline, or of several that follow one another in one process."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Ends the pipeline that runs now."""
    on_progress: OnProgress = ignore_progress
    failure: HeedError | None = None
    """Why the pipeline failed, as the original exception; Beam passes on only its text."""
    resources: dict[str, Any] = field(default_factory=dict)
    """By name, what the next pipeline takes over from this one, such as a reader with its position."""

    def close(self) -> None:
        """Close the shared resources."""
        for resource in self.resources.values():
            resource.close()
        self.resources.clear()


_CONTEXTS: dict[str, PipelineContext] = {}
_REWINDS: dict[str, Rewind] = {}
_UNKNOWN = PipelineContext()


@contextmanager
def registered(context: PipelineContext) -> Iterator[str]:
    """Register a context for the life of its pipelines; yields its id."""
    context_id = uuid.uuid4().hex
    _CONTEXTS[context_id] = context
    try:
        yield context_id
    finally:
        del _CONTEXTS[context_id]
        _REWINDS.pop(context_id, None)
        context.close()


def context_of(context_id: str) -> PipelineContext:
    """The context with that id; an empty one where it is not registered in this process."""
    return _CONTEXTS.get(context_id, _UNKNOWN)


def shared(context_id: str, name: str, make: Callable[[], Resource]) -> Resource:
    """The context's resource of that name, made on first use; a new one where the context is not in this process."""
    context = _CONTEXTS.get(context_id)
    if context is None:
        return make()
    if name not in context.resources:
        context.resources[name] = make()
    found: Resource = context.resources[name]
    return found


def release(context_id: str, resource: Closable) -> None:
    """Close a resource, unless the context shares it with its next pipeline."""
    context = _CONTEXTS.get(context_id)
    if context is None or not any(resource is other for other in context.resources.values()):
        resource.close()


def set_rewind(context_id: str, rewind: Rewind) -> None:
    """Register how the reader of a pipeline in this process is sent back."""
    _REWINDS[context_id] = rewind


def rewind_of(context_id: str) -> Rewind | None:
    """How the reader is sent back; None where it is not in this process."""
    return _REWINDS.get(context_id)


@contextmanager
def reported_failure(context_id: str) -> Iterator[None]:
    """Record an error of ours that ends the pipeline in its context, then raise it again."""
    try:
        yield
    except HeedError as error:
        context_of(context_id).failure = error
        raise
