"""The online store as a follower of commits.

A push has a fixed cost in the embedded store, so batches of a backlog are pushed together.
"""

from __future__ import annotations

from typing import ClassVar, Self

from beam_jobs.followers.follower import Committed, Follower
from beam_jobs.runner.monitor import PUSH_FAILURES
from feedback.settings.home import Settings
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.continuity import open_landed_log
from lakehouse.landed.positions import Positions
from online.open import open_online_store
from online.port import PUSHED_COLUMNS, OnlineStore, catch_up, push_commit


class OnlinePush(Follower):
    """Pushes recent events and consent; lists depend on them, so a drain fails without."""

    name: ClassVar = "online store"
    columns: ClassVar = PUSHED_COLUMNS
    events_together: ClassVar = 200_000
    fails_drain: ClassVar = True
    failures: ClassVar = PUSH_FAILURES

    def __init__(self, store: OnlineStore, lake: Lake, log_name: str, partitions: int, *, window_days: int) -> None:
        self._store = store
        self._lake = lake
        self._log = (log_name, partitions)
        self._window_days = window_days

    @classmethod
    def open(cls, settings: Settings, *, since: Positions) -> Self:
        """Open the store that the settings name."""
        del since  # what landed before is pushed as well
        log = open_landed_log(settings)
        name, partitions = log.name, log.partitions
        log.close()
        window_days = settings.landing.dedup_window_days
        return cls(open_online_store(settings.online), open_lake(settings), name, partitions, window_days=window_days)

    def positions(self) -> dict[int, int]:
        """Up to where each partition was pushed."""
        return self._store.positions()

    def catch_up(self) -> None:
        """Push what has landed and was not pushed."""
        catch_up(self._store, self._lake, *self._log, window_days=self._window_days)

    def follow(self, committed: Committed) -> None:
        """Push one commit; before it, what another worker committed and did not push."""
        push_commit(
            self._store,
            self._lake,
            committed.events,
            start=committed.start,
            end=committed.end,
            window_days=self._window_days,
        )

    def abandon(self) -> None:
        """Release the store; nothing waits here."""
        self._store.close()
