"""The shell of live windows: counts committed batches, and every few seconds writes what has changed.

Nothing in memory is authoritative. Counts since the last flush are lost with the process, and counted again from the
landed rows between the store's mark and the committed position. A flush publishes its panes to the table, then updates
the store; both refuse a writer that another worker has overtaken, which then drops its counts and counts again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import polars as pl

from beam_jobs.followers.follower import Committed
from beam_jobs.followers.windows.accumulate import accumulate
from beam_jobs.followers.windows.closing import Closing
from beam_jobs.followers.windows.pending import Pending
from beam_jobs.stages.log_clock import STEP_MS
from feedback.errors import HeedError, ServiceError, StalePosition
from feedback.settings.home import Settings
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.continuity import open_landed_log
from lakehouse.landed.log_clocks import committed_clocks
from lakehouse.window_rows import KEY, ROW_SCHEMA, SIZES, Mark, lateness_of
from lakehouse.window_table import WindowsPublisher, landed_between, newest_panes
from online.open import open_window_store
from online.windows import WindowStore

LOGGER = logging.getLogger("heed.windows")
IDLE_CHECK = timedelta(seconds=10)
"""How often the end of a silent log is compared with the counted position."""
WRITING_SHARE = 0.05
"""Share of a worker's time for writing windows at most: many keys at full load are written less often."""
LONGEST_WAIT = timedelta(minutes=1)
MAX_ATTEMPTS = 5
ROWS_AT_ONCE = 100_000
"""Rows in one write, about: all that came are written together, and so are windows with the same end. Each takes a
kilobyte meanwhile."""

LogEnds = Callable[[], Mapping[int, int]]


class WindowSink:
    """Live windows of one log, as one worker keeps them; `load` before the worker commits anything."""

    def __init__(
        self,
        lake: Lake,
        store: WindowStore,
        *,
        log_name: str,
        partitions: int,
        lateness: timedelta,
        every: timedelta,
        kept_windows: int,
        log_ends: LogEnds,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Put the parts together.

        Args:
            lake: Where committed rows are read and panes are published.
            store: Where windows stand.
            log_name: The log's name, as positions are committed under.
            partitions: How many partitions it has.
            lateness: How long after a window's end the log may take an event that still counts.
            every: Between two flushes.
            kept_windows: Closed windows of each length that stay in the store.
            log_ends: Asks the log for its partitions' next offsets.
            timer: A monotonic clock in seconds, to measure how long writing takes.
        """
        self._lake = lake
        self._store = store
        self._publisher = WindowsPublisher(lake, log_name)
        self._log_name = log_name
        self._partitions = partitions
        self._lateness = lateness
        self._every = every
        self._kept = kept_windows
        self._log_ends = log_ends
        self._timer = timer
        self._wait = every
        self._writing = timedelta()
        self._pending = Pending(lateness)
        self._closing = Closing(store, lateness)
        self._held = pl.DataFrame(schema=ROW_SCHEMA)
        self._marks: dict[int, Mark] = {}
        self._panes: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        self._flushed_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._since: Mapping[int, int] = {}
        self._told: dict[int, int] = {}
        """Per partition, what time it is by the log's clock, in ms since 1970; 0: unknown."""

    @classmethod
    def of(cls, settings: Settings) -> WindowSink:
        """The sink that the settings describe; it knows nothing before `load`."""
        log = open_landed_log(settings)
        name, partitions = log.name, log.partitions
        log.close()
        return cls(
            open_lake(settings),
            open_window_store(settings.online),
            log_name=name,
            partitions=partitions,
            lateness=lateness_of(settings.windows),
            every=timedelta(seconds=settings.windows.every_seconds),
            kept_windows=settings.windows.kept,
            log_ends=lambda: _ends(settings),
        )

    def positions(self) -> dict[int, int]:
        """Up to where the store's windows count, per partition that it knows."""
        return {partition: mark.position for partition, mark in self._store.marks().items()}

    def load(self, now: datetime, *, since: Mapping[int, int] | None = None) -> None:
        """Start from the store's marks, else from `since`, and count what was committed beyond them.

        Raises:
            ServiceError: The store cannot be read, or does not know a partition yet and cannot be written.
        """
        self._since = since or {}
        self._reload(range(self._partitions))
        try:
            self.flush(now)
        except ServiceError as error:  # another process holds the store; landing does not wait for it
            LOGGER.warning("windows: what was missed is written by a later flush: %s", error)
            self._reload(range(self._partitions))

    def process(self, batch: Committed, *, now: datetime) -> None:
        """Count events that are committed; what is counted already is skipped, a gap is read from the lake."""
        ahead = {p: end for p, end in batch.end.items() if end > self._counted[p]}
        if any(batch.start[p] > self._counted[p] for p in ahead):
            self._reload(ahead)
        elif ahead:
            self._told.update(batch.clocks)
            self._pending.add(_beyond(batch.events, self._counted, batch.start), clocks=self._told)
            self._counted.update(ahead)
        self.flush_if_due(now)

    def flush_if_due(self, now: datetime) -> None:
        """Flush if the last one is long enough ago, or much has come since."""
        if self._flushed_at is None or now - self._flushed_at >= self._wait or self._pending.is_full:
            self.flush(now)

    def flush(self, now: datetime) -> None:
        """Write every window that changed, and close those whose time has come."""
        self._flushed_at = now
        self._writing = timedelta()
        attempts = 0
        while attempts < MAX_ATTEMPTS:
            touched = self._write(now)
            if touched is not None:
                attempts += 1
                self._reload(touched)
            elif self._closing.is_behind:
                attempts = 0
            else:
                return
        LOGGER.warning("windows: another worker was quicker %d times; the next flush counts again", MAX_ATTEMPTS)

    def close(self, now: datetime) -> None:
        """Write what waits and release the store."""
        try:
            self.flush(now)
        except HeedError as error:
            LOGGER.warning("windows: the last flush failed and is made up for at the next start: %s", error)
        finally:
            self._store.close()

    def abandon(self) -> None:
        """Release the store without writing; what waits is counted again at the next start."""
        self._store.close()

    def _write(self, now: datetime) -> Iterable[int] | None:
        """Write what came, and close some windows; returns the partitions to count again if another was quicker."""
        came = self._pending.take()
        rows = accumulate(self._rows_before(came.tallies), came)
        self._advance_clocks(now)
        closing = self._closing.take(self._marks, at_most=ROWS_AT_ONCE - rows.height)
        rows = pl.concat([rows, closing.join(rows, on=KEY, how="anti")]).with_columns(final=self._closing.is_final())
        with_rows = set(rows["log_partition"].unique())
        moved = {p for p, mark in self._marks.items() if p in with_rows or self._counted[p] > mark.position}
        marks = {p: Mark(max(self._marks[p].pane, self._panes.get(p, 0)) + 1, self._counted[p]) for p in moved}
        if not marks:
            self._closing.settle()
            return None
        if self._overtaken(marks):
            return moved
        started = self._timer()
        if with_rows:
            try:
                self._publisher.publish(rows, {p: marks[p] for p in with_rows}, at=now)
            except StalePosition as error:
                LOGGER.info("%s", error)
                return moved
        if not self._store.put(rows, marks, expected={p: self._marks[p].pane for p in marks}):
            LOGGER.info("windows: the store's marks of partitions %s moved on", sorted(moved))
            return moved
        self._writing += timedelta(seconds=self._timer() - started)
        self._wait = max(self._every, min(self._writing / WRITING_SHARE, LONGEST_WAIT))
        self._marks.update(marks)
        if came.tallies.height:
            self._held = rows
        self._closing.settle()
        self._forget()
        return None

    def _overtaken(self, partitions: Iterable[int]) -> bool:
        """Whether another worker has written windows since this one read its marks.

        What was read of the store then holds events that are counted here as well. `put` would refuse it, but the
        panes would be published by then. Whoever writes after this look does no harm: what is published was counted
        from rows and marks that belong together.
        """
        held = self._store.marks()
        return any(held.get(p, Mark()).pane != self._marks[p].pane for p in partitions)

    def _reload(self, partitions: Iterable[int]) -> None:
        """Drop pending counts; count these partitions, and the pending ones, from the store's marks on."""
        waited = {p for p, mark in self._marks.items() if self._counted[p] > mark.position}
        self._pending.clear()
        self._held = pl.DataFrame(schema=ROW_SCHEMA)
        published = self._publisher.marks(self._partitions)
        self._panes = {p: mark.pane for p, mark in published.items()}
        marks, committed = self._marks_and_positions()
        told = committed_clocks(self._lake, self._log_name, committed)
        self._told = {p: max(ms, self._told.get(p, 0)) for p, (ms, _) in told.items()}
        missing = {
            p: published.get(p) or Mark(1, self._since.get(p, committed[p])) for p in committed if p not in marks
        }
        if missing:
            self._begin(missing, restore=[p for p in missing if p in published])
            marks, committed = self._marks_and_positions()
        self._marks = marks
        # A mark beyond what is committed belongs to a log that was made anew.
        self._counted = {p: min(mark.position, committed[p]) for p, mark in marks.items()}
        behind = {p: (self._counted[p], committed[p]) for p in {*partitions, *waited}}
        for events in landed_between(self._lake, behind):
            self._pending.add(events, clocks=self._told)
        self._counted.update({p: end for p, (_, end) in behind.items()})

    def _marks_and_positions(self) -> tuple[dict[int, Mark], dict[int, int]]:
        """Read the marks before the positions: rows committed in between are then counted again, never skipped."""
        marks = self._store.marks()
        return marks, self._lake.positions(self._log_name, self._partitions)

    def _begin(self, marks: Mapping[int, Mark], *, restore: list[int]) -> None:
        """Give partitions that the store does not know a mark: where they were published, or from here on."""
        latest = max((ms + STEP_MS for ms in self._told.values() if ms), default=None)
        rows = newest_panes(self._lake, restore, windows=self._kept, lateness=self._lateness, latest_ms=latest)
        self._store.put(rows, marks, expected=dict.fromkeys(marks, 0))

    def _rows_before(self, tallies: pl.DataFrame) -> pl.DataFrame:
        """What the store holds of these windows; those of the last flush are still at hand."""
        keys = tallies.select(KEY)
        known = self._held.join(keys, on=KEY, how="semi")
        unknown = keys.join(known, on=KEY, how="anti")
        return pl.concat([known, self._store.get(unknown)]) if unknown.height else known

    def _advance_clocks(self, now: datetime) -> None:
        """The log's time of each partition: its newest event, or now where the log proves to be silent."""
        self._closing.advance(self._pending.clocks)
        silent = _milliseconds(now - IDLE_CHECK)
        waiting = [p for p in self._marks if self._closing.clock(p) < silent]
        if not waiting or (self._asked_at is not None and now - self._asked_at < IDLE_CHECK):
            return
        self._asked_at = now
        ends = self._log_ends()
        silent_until = {p: _milliseconds(now) for p in waiting if ends.get(p) == self._counted[p]}
        # Our own clock may be wrong too; one step beyond the log's clock closes every window that it knows.
        self._closing.advance(
            {p: min(ms, self._told[p] + STEP_MS) if self._told.get(p) else ms for p, ms in silent_until.items()}
        )

    def _forget(self) -> None:
        """Drop closed windows beyond those that are kept."""
        for partition, closed in self._closing.closed.items():
            for size in SIZES.values():
                self._store.forget(partition, size, before=(closed // (size * 1000) - self._kept) * size)


def _beyond(events: pl.DataFrame, counted: Mapping[int, int], start: Mapping[int, int]) -> pl.DataFrame:
    """The rows of a batch that are not counted yet."""
    repeated = {p: counted[p] for p, first in start.items() if first < counted[p]}
    if not repeated:
        return events
    bound = pl.col("log_partition").replace_strict(repeated, default=0, return_dtype=pl.Int64)
    return events.filter(pl.col("log_offset") >= bound)


def _ends(settings: Settings) -> dict[int, int]:
    log = open_landed_log(settings)
    try:
        return {partition: end for partition, (_, end) in log.bounds().items()}
    finally:
        log.close()


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
