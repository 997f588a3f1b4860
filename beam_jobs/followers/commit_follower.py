"""Run a follower in a background thread, with pauses after errors, so that landing never waits long or fails.

Commits of a backlog are handed over together, since a store takes many rows in about the time of a few. A follower that
fails is reopened after a pause and reads from the tables what it missed. Commits during a pause or a long catch-up are
not kept for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import polars as pl
import pyarrow as pa

from beam_jobs.batch import Batch
from beam_jobs.followers.background_worker import BackgroundWorker, Pause
from beam_jobs.followers.follower import Committed, Follower
from feedback.errors import HeedError, ServiceError
from feedback.settings.home import Settings
from lakehouse.landed.positions import Positions

LOGGER = logging.getLogger("heed.landing")
LONGEST_WAIT_SECONDS = 0.5
"""How long a commit waits at most to be handed over with the next ones."""
CATCH_UP_SECONDS = 2.0
"""How long landing waits for a catch-up; a longer one, as after a lost store, goes on in the background."""
AT_MOST = 2
"""Actions of a follower in the queue: one runs, one waits; with more, landing waits."""
STORE_ERRORS = (HeedError, OSError, pa.ArrowException)
"""Errors of a store or a lake that does not answer, such as a full disk."""


class CommitFollower:
    """One follower as one worker runs it."""

    def __init__(
        self, kind: type[Follower], settings: Settings, *, since: Positions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to catch up on what a crash prevented, before anything else is committed.

        Args:
            kind: Which follower.
            settings: The home.
            since: The positions before the first commit of this pipeline.
            clock: Seconds, of a clock that never goes back.
        """
        self._kind = kind
        self._settings = settings
        self._since = since
        self._clock = clock
        self._follower: Follower | None = None
        self._waiting: list[Committed] = []
        self._waits_since = 0.0
        self._pause = Pause(clock)
        self._worker = BackgroundWorker(kind.name.replace(" ", "-"), at_most=AT_MOST)
        self._catching_up_since: float | None = None
        self._has_missed = False
        self._start_catching_up()
        self._worker.is_done_within(CATCH_UP_SECONDS)

    @property
    def is_ready(self) -> bool:
        """Whether the follower is tried at the next commit; for a while after an error it is not."""
        return self._pause.is_over

    def follow(self, batch: Batch) -> None:
        """Take over a batch that is committed; where more is waiting it may be handed over with the next ones."""
        now = self._clock()
        if not self._waiting:
            self._waits_since = now
        events = batch.events.select(self._kind.columns)
        self._waiting.append(Committed(events, batch.start, batch.end, batch.clocks))
        is_much = sum(one.events.height for one in self._waiting) >= self._kind.events_together
        if not batch.more or is_much or now - self._waits_since >= LONGEST_WAIT_SECONDS:
            self._hand_over()

    def settle(self) -> None:
        """Hand over what waits; after a pause, try again what failed; else do what is due."""
        self._hand_over()
        if self._worker.is_idle and not self._pause.is_owed:
            self._worker.start(lambda: self._try(lambda follower: follower.idle()))

    def finish(self) -> None:
        """Wait until what was handed over is followed."""
        self._worker.finish()

    def close(self) -> None:
        """Follow what is missing and release the store.

        Raises:
            HeedError: It still fails, and a drain may not end so; the next landing makes up for it.
        """
        try:
            self._hand_over()
            self._worker.finish()
            if self._follower is None or self._pause.is_owed or self._has_missed:
                self._catch_up()
            follower, self._follower = self._follower, None
            if follower is not None:
                follower.close()
        except Exception as error:
            self._say_at_the_end(error)
        finally:
            self._worker.close()
            self._abandon()

    def _hand_over(self) -> None:
        """Let what waits be followed, or all that is missing since it failed.

        What waits in a pause or during a long catching-up is dropped, for the next catching-up brings it as well.
        """
        waiting, self._waiting = self._waiting, []
        if self._is_catching_up():
            self._has_missed |= bool(waiting)
        elif self._pause.is_owed or self._has_missed:
            if self.is_ready:
                self._start_catching_up()
        elif waiting:
            self._worker.start(lambda: self._try(lambda follower: _follow(follower, waiting)))

    def _start_catching_up(self) -> None:
        self._catching_up_since, self._has_missed = self._clock(), False
        self._worker.start(lambda: self._guarded(self._catch_up))

    def _is_catching_up(self) -> bool:
        """Whether a catching-up goes on for longer than landing waits for it."""
        if self._catching_up_since is None:
            return False
        left = self._catching_up_since + CATCH_UP_SECONDS - self._clock()
        if not self._worker.is_done_within(max(0.0, left)):
            return True
        self._catching_up_since = None
        return False

    def _catch_up(self) -> None:
        if self._follower is None:
            self._follower = self._kind.open(self._settings, since=self._since)
        self._follower.catch_up()
        self._pause.end()

    def _try(self, action: Callable[[Follower], None]) -> None:
        """Do something with the follower, unless an action before this one failed: then it has missed it."""
        follower = self._follower
        if follower is None:
            self._has_missed = True
        else:
            self._guarded(lambda: action(follower))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._kind.failures.inc()
            is_mistake = not isinstance(error, STORE_ERRORS)
            words = "%s: what has landed is followed later, from the tables; landing goes on: %s"
            LOGGER.warning(words, self._kind.name, error, exc_info=error if is_mistake else None)
            self._pause.begin(mistake=is_mistake)
            self._abandon()

    def _abandon(self) -> None:
        """Drop what is in memory: after an error it is unknown how much of it was done."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.abandon()

    def _say_at_the_end(self, error: Exception) -> None:
        """Raise where a drain may not end with the follower behind, else log it."""
        self._kind.failures.inc()
        if self._kind.fails_drain and isinstance(error, HeedError):
            raise error
        words = f"the {self._kind.name} cannot be told what has landed: {error!r}"
        if self._kind.fails_drain:
            LOGGER.error(words, exc_info=error)
            raise ServiceError(words) from error
        LOGGER.warning("%s; the next landing makes up for it", words, exc_info=error)


def _follow(follower: Follower, waiting: Iterable[Committed]) -> None:
    for run in runs(waiting):
        follower.follow(joined(run))


def runs(commits: Iterable[Committed]) -> Iterator[list[Committed]]:
    """Group commits that are contiguous in each partition; between two groups another worker has landed."""
    run: list[Committed] = []
    ends: dict[int, int] = {}
    for one in commits:
        if any(ends.get(partition, at) != at for partition, at in one.start.items()):
            yield run
            run, ends = [], {}
        run.append(one)
        ends |= one.end
    if run:
        yield run


def joined(run: list[Committed]) -> Committed:
    """Contiguous commits as one."""
    if len(run) == 1:
        return run[0]
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    clocks: dict[int, int] = {}
    for one in run:
        starts = {**one.start, **starts}
        ends |= one.end
        clocks |= one.clocks
    return Committed(pl.concat([one.events for one in run]), starts, ends, clocks)
