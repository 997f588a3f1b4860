"""Live windows as a follower of commits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar, Self

from beam_jobs.followers.follower import Committed, Follower
from beam_jobs.followers.windows.sink import WindowSink
from beam_jobs.followers.windows.window import NEEDED
from beam_jobs.runner.monitor import WINDOW_FAILURES
from feedback.settings.home import Settings
from lakehouse.landed.positions import Positions


class CountWindows(Follower):
    """Counts commits and writes every few seconds; the windows are in the online store and in the table `signals`."""

    name: ClassVar = "live windows"
    columns: ClassVar = (*NEEDED, "log_offset")
    events_together: ClassVar = 40_000
    """About 16 MB: writing windows takes as long as landing a few batches."""
    failures: ClassVar = WINDOW_FAILURES

    def __init__(self, sink: WindowSink, since: Positions, clock: Callable[[], datetime]) -> None:
        self._sink = sink
        self._since = since
        self._clock = clock

    @classmethod
    def is_on(cls, settings: Settings) -> bool:
        """Whether windows are kept at all."""
        return settings.windows.enabled

    @classmethod
    def open(cls, settings: Settings, *, since: Positions) -> Self:
        """Open the store and the table; partitions without any window are counted from `since` on."""
        return cls(WindowSink.of(settings), since, lambda: datetime.now(UTC))

    def positions(self) -> dict[int, int]:
        """Up to where the windows of each partition count."""
        return self._sink.positions()

    def catch_up(self) -> None:
        """Count what has landed beyond the store's marks, and write it."""
        self._sink.load(self._clock(), since=self._since)

    def follow(self, committed: Committed) -> None:
        """Count a commit; write if the last time is long enough ago."""
        self._sink.process(committed, now=self._clock())

    def idle(self) -> None:
        """Write if the last time is long enough ago."""
        self._sink.flush_if_due(self._clock())

    def close(self) -> None:
        """Write what waits and release the store."""
        self._sink.close(self._clock())

    def abandon(self) -> None:
        """Release the store; what waits is counted again at the next start."""
        self._sink.abandon()
