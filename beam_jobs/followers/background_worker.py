"""Work beside the chain: a thread that does one thing after the other, and a pause where a store does not answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

PAUSE_SECONDS = 5.0
"""After an error of a store, until it is asked again: each attempt may take seconds, and landing waits for it."""
LONGEST_PAUSE_SECONDS = 300.0
"""After a mistake of our own, which waiting rarely cures, pauses become twice as long each time, up to this."""


class BackgroundWorker:
    """A thread of its own that does one action after the other."""

    def __init__(self, name: str, *, at_most: int = 1) -> None:
        """No action yet.

        Args:
            name: The thread's.
            at_most: How many actions may be under way or wait, each with what it holds in memory.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._at_most = at_most
        self._under_way: deque[Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether all actions are done."""
        return all(action.done() for action in self._under_way)

    def start(self, action: Callable[[], None]) -> None:
        """Do an action after those before; waits while there are too many of them."""
        while len(self._under_way) >= self._at_most:
            self._under_way.popleft().result()
        self._under_way.append(self._thread.submit(action))

    def is_done_within(self, seconds: float) -> bool:
        """Wait for so long at most; whether all actions are done."""
        return not wait(self._under_way, timeout=seconds).not_done

    def finish(self) -> None:
        """Wait until all actions are done; what one of them raised is raised here."""
        while self._under_way:
            self._under_way.popleft().result()

    def close(self) -> None:
        """Let the last action end, and the thread with it."""
        self._thread.shutdown()


class Pause:
    """From an error of a store until what it cost has been made up for; in its first seconds nothing is tried."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self._mistakes = 0

    @property
    def is_owed(self) -> bool:
        """Whether something has failed and was not made up for."""
        return self._until is not None

    @property
    def is_over(self) -> bool:
        """Whether the store may be asked now."""
        return self._until is None or self._clock() >= self._until

    def begin(self, *, mistake: bool = False) -> None:
        """The store has failed, or the work on it by a mistake of our own."""
        self._mistakes = self._mistakes + 1 if mistake else 0
        doublings = min(max(0, self._mistakes - 1), 10)
        self._until = self._clock() + min(PAUSE_SECONDS * 2.0**doublings, LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """All is made up for."""
        self._until, self._mistakes = None, 0
