"""Closing: the windows that the log's clock has passed, and their rows, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import polars as pl

from lakehouse.window_rows import ROW_SCHEMA, SIZES
from online.windows import WindowStore

MARGIN_MS = 5_000
"""How far out of order appends may be; windows are closed that much later."""


class Closing:
    """How far the windows of each partition are closed, by the log's time (ms since 1970, UTC) and not by ours."""

    def __init__(self, store: WindowStore, lateness: timedelta) -> None:
        self._store = store
        self._late = lateness // timedelta(milliseconds=1) + MARGIN_MS
        self._clocks: dict[int, int] = {}
        self._closed: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    @property
    def closed(self) -> Mapping[int, int]:
        """Per partition, the time up to which windows are closed."""
        return self._closed

    @property
    def is_behind(self) -> bool:
        """Whether the last call of `take` left windows whose time has come, once what it took is settled."""
        ends = self._ends()
        return any(until < ends.get(partition, 0) for partition, until in self._taken.items())

    def clock(self, partition: int) -> int:
        """The clock of a partition; 0 while unknown."""
        return self._clocks.get(partition, 0)

    def advance(self, clocks: Mapping[int, int]) -> None:
        """Advance the clock; it never goes back."""
        for partition, clock in clocks.items():
            self._clocks[partition] = max(clock, self.clock(partition))

    def is_final(self) -> pl.Expr:
        """Whether a row's window can change no more."""
        ends = self._ends() or {-1: 0}
        end = pl.col("log_partition").replace_strict(ends, default=0, return_dtype=pl.Int64)
        return (pl.col("start") + pl.col("size_seconds")) * 1000 <= end

    def take(self, partitions: Iterable[int], *, at_most: int) -> pl.DataFrame:
        """Rows of the store that are to become final, window by window until there are about so many.

        They count as closed once `settle` says that they are written.
        """
        found = [pl.DataFrame(schema=ROW_SCHEMA)]
        ends = self._ends()
        self._taken = {}
        for partition in partitions:
            until = self._closed.get(partition, 0)
            for end, windows in self._due(partition, until, ends.get(partition, 0)):
                if at_most <= 0:
                    break
                for size, start in windows:
                    found.append(self._store.unfinished(partition, size, start=start, end=start + size))
                    at_most -= found[-1].height
                until = end
            else:
                until = max(until, ends.get(partition, 0))
            self._taken[partition] = until
        return pl.concat(found)

    def settle(self) -> None:
        """What was taken is written."""
        self._closed.update(self._taken)

    def _ends(self) -> dict[int, int]:
        """Per partition, the time up to which windows can be closed."""
        return {p: max(clock - self._late, self._closed.get(p, 0)) for p, clock in self._clocks.items()}

    def _due(self, partition: int, since: int, until: int) -> list[tuple[int, list[tuple[int, int]]]]:
        """The windows in the store that end between two times: each end, and length and start of those with it."""
        due: dict[int, list[tuple[int, int]]] = {}
        for size in SIZES.values():
            first, last = (time // (size * 1000) * size for time in (since, until))
            for start in self._store.starts(partition, size, start=first, end=last) if first < last else ():
                due.setdefault((start + size) * 1000, []).append((size, start))
        return sorted(due.items())
