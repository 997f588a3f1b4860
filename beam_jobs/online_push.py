"""Telling the online store what was committed: beside the next batch, and never in landing's way.

A store that does not answer misses commits. The next push after it answers again reads them from the lake first, since
the store says by itself up to where it knows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from beam_jobs.batch import Batch
from beam_jobs.monitor import PUSH_FAILURES
from feedback.errors import ServiceError
from lakehouse.lake import Lake
from lakehouse.online import PUSHED_COLUMNS, OnlineStore, catch_up, push_commit

LOGGER = logging.getLogger("heed.landing")
PAUSE_SECONDS = 5.0
"""After a push that failed, until the next: each may wait for seconds, and landing waits for it."""


class OnlinePush:
    """Pushes the commits of one worker in a thread of its own; at most one is under way."""

    def __init__(
        self,
        store: OnlineStore,
        lake: Lake,
        log_name: str,
        partitions: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Push what a crash kept from the store."""
        self._store = store
        self._lake = lake
        self._log = (log_name, partitions)
        self._clock = clock
        self._paused_until: float | None = None
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="online-store")
        self._under_way: Future[None] | None = None
        self._try(self._catch_up)

    def push(self, batch: Batch) -> None:
        """Take over a batch that is committed; waits only for the one before."""
        self._finish()
        light = batch.only(PUSHED_COLUMNS)
        self._start(lambda: push_commit(self._store, self._lake, light.events, start=light.start, end=light.end))

    def settle(self) -> None:
        """Wait until the store knows all that was pushed; where it did not answer, it is tried again after a pause."""
        self._finish()
        if self._paused_until is not None:
            self._start(self._catch_up)

    def close(self) -> None:
        """Push what is missing and release the store.

        Raises:
            ServiceError: The store still does not answer; the next landing makes up for it.
        """
        try:
            self._finish()
            if self._paused_until is not None:
                self._catch_up()
        finally:
            self._beside.shutdown()
            self._store.close()

    def _start(self, action: Callable[[], object]) -> None:
        if self._paused_until is None or self._clock() >= self._paused_until:
            self._under_way = self._beside.submit(self._try, action)

    def _finish(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
            self._paused_until = None
        except ServiceError as error:
            PUSH_FAILURES.inc()
            LOGGER.warning("the online store is told later what has landed: %s", error)
            self._paused_until = self._clock() + PAUSE_SECONDS

    def _catch_up(self) -> None:
        catch_up(self._store, self._lake, *self._log)
