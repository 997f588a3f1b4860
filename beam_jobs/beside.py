"""Work beside the chain: a thread that does one thing after the other, and a pause where a store does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

PAUSE_SECONDS = 5.0
"""After an error of a store, until it is asked again: each attempt may take seconds, and landing waits for it."""


class Beside:
    """A thread of its own that does one action at a time; at most one is under way."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._under_way: Future[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the last action is done."""
        return self._under_way is None or self._under_way.done()

    def start(self, action: Callable[[], None]) -> None:
        """Begin an action; waits for the one before."""
        self.finish()
        self._under_way = self._thread.submit(action)

    def finish(self) -> None:
        """Wait for the action that is under way; what it raised is raised here."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def close(self) -> None:
        """Let the last action end, and the thread with it."""
        self._thread.shutdown()


class Pause:
    """From an error of a store until what it cost has been made up for; in its first seconds nothing is tried."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None

    @property
    def is_owed(self) -> bool:
        """Whether something has failed and was not made up for."""
        return self._until is not None

    @property
    def is_over(self) -> bool:
        """Whether the store may be asked now."""
        return self._until is None or self._clock() >= self._until

    def begin(self) -> None:
        """The store has failed."""
        self._until = self._clock() + PAUSE_SECONDS

    def end(self) -> None:
        """All is made up for."""
        self._until = None
