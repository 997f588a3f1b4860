"""The heartbeat of a landing stream: a file of the home that its reader touches as long as it reads on.

The reader waits for the commit of the batch before last, so a hanging chain stops it too. `serving.landing_watch` reads
the file. Several workers on one home share it; a single hanging worker shows in the positions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

LOGGER = logging.getLogger("heed.landing")
BEAT_SECONDS = 1.0


class Beat:
    """Touches the file at most once a second; errors of the disk are ignored."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._next = float("-inf")

    def touch(self) -> None:
        """Say that the stream reads on."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + BEAT_SECONDS
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
        except OSError as error:
            LOGGER.debug("the heartbeat cannot be written: %s", error)

    def end(self) -> None:
        """Say that the stream has ended in order, and nobody is to wait for it."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            LOGGER.debug("the heartbeat cannot be taken away: %s", error)
