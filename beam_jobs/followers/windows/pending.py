"""Events since the last flush, in ever smaller form: columns, then facts, then partials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from beam_jobs.followers.windows.aggregate import Partials, added, aggregate
from beam_jobs.followers.windows.window import NEEDED, facts_of

EVENTS_PER_FRAME = 100_000
"""Events whose facts are worked out together: per event half the cost of batches of 20,000."""
ROWS_AT_MOST = 100_000
"""Rows of windows that may wait for a flush, about 300 bytes each; more trigger one."""
FACTS_AT_MOST = 300_000
"""Facts that wait for a flush; more are grouped at once, which takes about 500 bytes for each meanwhile."""


class Pending:
    """Events that wait to be counted, and the newest time at which the log took one of each partition."""

    def __init__(self, lateness: timedelta) -> None:
        self._lateness = lateness
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._events: list[pl.DataFrame] = []
        self._facts: list[pl.DataFrame] = []
        self._partials: list[Partials] = []
        self.clocks: dict[int, int] = {}
        """Per log partition, in ms since 1970 (UTC)."""
        self._limits: dict[int, int] = {}

    def add(self, events: pl.DataFrame, *, clocks: Mapping[int, int] | None = None) -> None:
        """Take events (`NEEDED` and more).

        Args:
            events: The events.
            clocks: Per log partition, what time it is by the log's clock (0: unknown); no event moves time beyond it.
        """
        self._limits.update({p: ms for p, ms in (clocks or {}).items() if ms})
        if events.is_empty():
            return
        self._events.append(events.select(NEEDED))
        if sum(frame.height for frame in self._events) >= EVENTS_PER_FRAME:
            self._state_facts()
        if sum(frame.height for frame in self._facts) >= FACTS_AT_MOST:
            self._group()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be written."""
        return sum(part.tallies.height for part in self._partials) >= ROWS_AT_MOST

    def take(self) -> Partials:
        """Everything that waits, grouped; nothing waits afterwards."""
        self._state_facts()
        self._group()
        partials, self._partials = self._partials, []
        return added(partials)

    def _state_facts(self) -> None:
        if not self._events:
            return
        events, self._events = pl.concat(self._events), []
        self._facts.append(facts_of(events, lateness=self._lateness))
        taken = events.group_by("log_partition").agg(pl.col("appended_at").max().dt.epoch("ms"))
        for partition, clock in taken.iter_rows():
            limited = min(clock, self._limits.get(partition, clock))
            self.clocks[partition] = max(limited, self.clocks.get(partition, 0))

    def _group(self) -> None:
        if not self._facts and self._partials:
            return
        facts, self._facts = self._facts, []
        self._partials.append(aggregate(facts))
