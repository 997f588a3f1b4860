"""Telling the online store what was committed: beside the next batch, and never in landing's way.

A push costs the embedded store some 50 ms whatever it holds, for it touches as many slots; so batches of a backlog are
told together. A store that does not answer misses commits. The next push after it answers again reads them from the
lake first, since the store says by itself up to where it knows. Any other error, a mistake of our own among them, is
handled the same way: what is committed is committed, and nothing behind it ends landing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import polars as pl

from beam_jobs.batch import Batch
from beam_jobs.followers.background_worker import BackgroundWorker, Pause
from beam_jobs.runner.monitor import PUSH_FAILURES
from feedback.errors import HeedError, ServiceError
from lakehouse.lake import Lake
from online.port import PUSHED_COLUMNS, WINDOW_DAYS, OnlineStore, catch_up, push_commit

LOGGER = logging.getLogger("heed.landing")
EVENTS_TOGETHER = 200_000
"""Events of a backlog that are told in one push; some 30 MB of columns wait for it."""
LONGEST_WAIT_SECONDS = 0.5
"""What a commit waits at most for the next one to be told with it."""
CATCH_UP_SECONDS = 2.0
"""What landing waits for a catching-up; a longer one, as after a lost store, goes on beside it."""


class OnlinePush:
    """Pushes the commits of one worker in a thread of its own; at most one push is under way."""

    def __init__(
        self,
        store: OnlineStore,
        lake: Lake,
        log_name: str,
        partitions: int,
        *,
        window_days: int = WINDOW_DAYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to push what a crash kept from the store."""
        self._store = store
        self._lake = lake
        self._log = (log_name, partitions)
        self._window_days = window_days
        self._clock = clock
        self._waiting: list[Batch] = []
        self._waits_since = 0.0
        self._pause = Pause()
        self._beside = BackgroundWorker("online-store")
        self._catching_up_since: float | None = None
        self._has_missed = False
        self._start_catching_up()
        self._beside.is_done_within(CATCH_UP_SECONDS)

    @property
    def is_ready(self) -> bool:
        """Whether the store is asked at the next push; for a while after an error it is not."""
        return self._pause.is_over

    def push(self, batch: Batch) -> None:
        """Take over a batch that is committed; where more is waiting it may be told with the next ones."""
        now = self._clock()
        if not self._waiting:
            self._waits_since = now
        self._waiting.append(batch.only(PUSHED_COLUMNS))
        is_much = sum(one.events.height for one in self._waiting) >= EVENTS_TOGETHER
        if not batch.more or is_much or now - self._waits_since >= LONGEST_WAIT_SECONDS:
            self._tell()

    def settle(self) -> None:
        """Tell the store what waits; where it did not answer, it is tried again after a pause."""
        self._tell()

    def close(self) -> None:
        """Push what is missing and release the store.

        Raises:
            HeedError: The store still does not take it; the next landing makes up for it.
        """
        try:
            self._tell()
            self._beside.finish()
            if self._pause.is_owed or self._has_missed:
                self._catch_up()
        except HeedError:
            raise
        except Exception as error:
            LOGGER.exception("the online store cannot be told what has landed")
            raise ServiceError(f"the online store cannot be told what has landed: {error!r}") from error
        finally:
            self._beside.close()
            self._store.close()

    def _tell(self) -> None:
        """Push what waits, or all that is missing since the store did not answer; waits only for the push before.

        What waits in a pause or during a long catching-up is dropped, for the next catching-up brings it as well.
        """
        waiting, self._waiting = self._waiting, []
        if self._is_catching_up():
            self._has_missed |= bool(waiting)
            return
        self._beside.finish()
        if self._pause.is_owed or self._has_missed:
            if self.is_ready:
                self._start_catching_up()
        elif waiting:
            self._beside.start(lambda: self._try(lambda: self._push(waiting)))

    def _start_catching_up(self) -> None:
        self._catching_up_since, self._has_missed = self._clock(), False
        self._beside.start(lambda: self._try(self._catch_up))

    def _is_catching_up(self) -> bool:
        """Whether a catching-up goes on for longer than landing waits for it."""
        if self._catching_up_since is None:
            return False
        left = self._catching_up_since + CATCH_UP_SECONDS - self._clock()
        if not self._beside.is_done_within(max(0.0, left)):
            return True
        self._catching_up_since = None
        return False

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
            self._pause.end()
        except HeedError as error:
            PUSH_FAILURES.inc()
            LOGGER.warning("the online store is told later what has landed: %s", error)
            self._pause.begin()
        except Exception:
            PUSH_FAILURES.inc()
            LOGGER.exception("the online store is told later what has landed")
            self._pause.begin(mistake=True)

    def _push(self, batches: Iterable[Batch]) -> None:
        for run in runs(batches):
            rows = pl.concat([batch.events for batch in run])
            starts: dict[int, int] = {}
            ends: dict[int, int] = {}
            for batch in run:
                starts = {**batch.start, **starts}
                ends |= batch.end
            push_commit(self._store, self._lake, rows, start=starts, end=ends, window_days=self._window_days)

    def _catch_up(self) -> None:
        catch_up(self._store, self._lake, *self._log, window_days=self._window_days)


def runs(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches that follow one another in each of their partitions; between two runs another worker has landed."""
    run: list[Batch] = []
    ends: dict[int, int] = {}
    for batch in batches:
        if any(ends.get(partition, at) != at for partition, at in batch.start.items()):
            yield run
            run, ends = [], {}
        run.append(batch)
        ends |= batch.end
    if run:
        yield run
