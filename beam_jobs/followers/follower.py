"""The base of commit followers: each keeps a store up to date with what has landed, after each commit.

A follower's store holds the position up to which it has followed each partition; there is no other state. After a
crash, a pause or a lost store the follower reads what it misses from the tables. To add one, write a class here and
name it in `beam_jobs.followers.registry`; `beam_jobs.followers.commit_follower` runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import polars as pl
import prometheus_client as prometheus

from feedback.settings.home import Settings
from lakehouse.lake import Lake
from lakehouse.landed.parts import landed_parts, read_part
from lakehouse.landed.positions import Positions, spans


@dataclass(frozen=True, slots=True)
class Committed:
    """Rows of `feedback` that were committed, and the positions between which they lie."""

    events: pl.DataFrame
    start: Positions
    end: Positions
    clocks: Mapping[int, int] = field(default_factory=dict)
    """Per partition, what time it is after them by the log's own times, in ms since 1970 (UTC)."""


class Follower(ABC):
    """Keeps one store up to date. It is used by one thread at a time; if it fails, landing goes on."""

    name: ClassVar[str]
    """The name of what it keeps up to date, as the subject of a log message."""
    columns: ClassVar[tuple[str, ...]]
    """The columns of `feedback` that it needs."""
    events_together: ClassVar[int]
    """How many events of a backlog it gets together, at most; they and as many more wait in memory."""
    fails_drain: ClassVar[bool] = False
    """Whether a drain fails if it is behind at the end; otherwise that is logged."""
    failures: ClassVar[prometheus.Counter]
    """Counts its failures."""

    @classmethod
    def is_on(cls, settings: Settings) -> bool:
        """Whether the settings ask for it."""
        del settings
        return True

    @classmethod
    @abstractmethod
    def open(cls, settings: Settings, *, since: Positions) -> Self:
        """Open its store, which may be empty.

        Args:
            settings: The home.
            since: The positions before the first commit of this pipeline.

        Raises:
            HeedError: It cannot be opened now.
        """

    @abstractmethod
    def positions(self) -> dict[int, int]:
        """Up to where it has followed each partition, as its store says."""

    @abstractmethod
    def catch_up(self) -> None:
        """Follow all that has landed beyond its positions, in parts of bounded size (see `follow_landed`).

        Raises:
            HeedError: The tables cannot be read or the store cannot be written; what was done stays done.
        """

    @abstractmethod
    def follow(self, committed: Committed) -> None:
        """Take over one commit, or several that follow one another.

        What its store knows already is left out. What another worker has committed between the store's positions and
        `committed.start` is read from the tables first.
        """

    def idle(self) -> None:  # noqa: B027 - most followers have nothing to do then
        """Do periodic work; called about once a second while there are no commits."""

    def close(self) -> None:
        """Write what waits and release the store."""
        self.abandon()

    @abstractmethod
    def abandon(self) -> None:
        """Release the store without writing, as after an error."""


def follow_landed(follower: Follower, lake: Lake, log_name: str, partitions: int) -> None:
    """Let a follower follow all that has landed beyond its positions, a part of a partition at a time."""
    missing = spans(follower.positions(), lake.positions(log_name, partitions))
    for part in landed_parts(lake, missing):
        rows = read_part(lake, part, follower.columns)
        follower.follow(Committed(rows, {part.partition: part.start}, {part.partition: part.end}))
