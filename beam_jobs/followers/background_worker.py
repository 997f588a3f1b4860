"""A single background thread with a bounded queue, and a back-off timer for stores that fail."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

PAUSE_SECONDS = 5.0
"""Pause after an error of a store: each attempt may take seconds, and landing waits for it."""
LONGEST_PAUSE_SECONDS = 300.0
"""After other errors, which rarely pass by waiting, pauses double up to this."""


class BackgroundWorker:
    """A background thread that runs one action after the other."""

    def __init__(self, name: str, *, at_most: int = 1) -> None:
        """Start without actions.

        Args:
            name: Name of the thread.
            at_most: How many actions may run or wait, each with its data in memory.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._at_most = at_most
        self._under_way: deque[Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether all actions are done."""
        return all(action.done() for action in self._under_way)

    def start(self, action: Callable[[], None]) -> None:
        """Queue an action; blocks while the queue is full."""
        while len(self._under_way) >= self._at_most:
            self._under_way.popleft().result()
        self._under_way.append(self._thread.submit(action))

    def is_done_within(self, seconds: float) -> bool:
        """Wait at most so many seconds; returns whether all actions are done."""
        return not wait(self._under_way, timeout=seconds).not_done

    def finish(self) -> None:
        """Wait until all actions are done; raises what one of them raised."""
        while self._under_way:
            self._under_way.popleft().result()

    def close(self) -> None:
        """Wait for the last action and end the thread."""
        self._thread.shutdown()


class Pause:
    """The time from an error of a store until its missed work is done; at first nothing is tried."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self._mistakes = 0

    @property
    def is_owed(self) -> bool:
        """Whether work was missed and is still to be done."""
        return self._until is not None

    @property
    def is_over(self) -> bool:
        """Whether the store may be tried now."""
        return self._until is None or self._clock() >= self._until

    def begin(self, *, mistake: bool = False) -> None:
        """Begin a pause: the store has failed, or (`mistake`) our own code."""
        self._mistakes = self._mistakes + 1 if mistake else 0
        doublings = min(max(0, self._mistakes - 1), 10)
        self._until = self._clock() + min(PAUSE_SECONDS * 2.0**doublings, LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """End the pause: all missed work is done."""
        self._until, self._mistakes = None, 0
