"""The port of the store of live windows.

A partition's rows and its mark, the position up to which they count, change in one transaction, and only if the mark
is still the one that the writer built on. So a retry counts nothing twice, and a worker that lost the partition
cannot overwrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from lakehouse.sketches import numbers_of
from lakehouse.window_rows import Mark, WindowScope
from lakehouse.window_table import figures


class WindowStore(Protocol):
    """Windows by log partition; each partition has one writer at a time, readers are many."""

    def marks(self) -> dict[int, Mark]:
        """How far each partition is counted; one that was never written is absent."""
        ...

    def get(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The rows (`ROW_SCHEMA`) of those keys (`KEY_SCHEMA`, unique) that are there, in any order."""
        ...

    def put(self, rows: pl.DataFrame, marks: Mapping[int, Mark], *, expected: Mapping[int, int]) -> bool:
        """Overwrite rows and marks in one transaction, or nothing.

        Args:
            rows: In `ROW_SCHEMA`, of the partitions in `marks` only.
            marks: The new marks.
            expected: Per partition of `marks`, the pane that its mark must still have; 0 for none.

        Returns:
            `False` where another writer moved a mark on; nothing is changed then.
        """
        ...

    def unfinished(self, partition: int, size_seconds: int, *, start: int, end: int) -> pl.DataFrame:
        """Rows of windows that start at `start` or later and before `end` and are not final."""
        ...

    def starts(self, partition: int, size_seconds: int, *, start: int, end: int) -> list[int]:
        """When windows start that are there, final or not, at `start` or later and before `end`; ordered."""
        ...

    def forget(self, partition: int, size_seconds: int, *, before: int) -> None:
        """Drop the rows of windows that start before a time."""
        ...

    def newest(self, size_seconds: int, scope: WindowScope, *, key: str | None = None, windows: int) -> pl.DataFrame:
        """The rows of the newest windows of one length and scope, all partitions."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def newest_windows(
    store: WindowStore,
    size_seconds: int,
    scope: WindowScope,
    *,
    key: str | None = None,
    windows: int = 10,
    keys: int | None = None,
    canonical: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """The newest windows as they stand online, one row each with its figures (see `figures`), newest first.

    Args:
        store: Where they stand.
        size_seconds: Length of the windows.
        scope: item, section or all.
        key: The item or the section; every one by default.
        windows: How many windows at most.
        keys: How many of a window's keys at most, the busiest ones.
        canonical: Of linked subjects the one that each is counted as. Beyond `lakehouse.sketches.FEW` people of one
            log partition a window no longer knows who they are, and counts linked subjects apart.
    """
    rows = store.newest(size_seconds, scope, key=key, windows=windows)
    found = figures(rows, same=_numbers(canonical or {}))
    return (
        found if keys is None else found.group_by("window_start", maintain_order=True).head(keys).select(found.columns)
    )


def _numbers(canonical: Mapping[str, str]) -> dict[int, int]:
    """Subjects as the numbers that windows keep of them."""
    linked, persons = (pl.Series(list(names), dtype=pl.String) for names in (canonical, canonical.values()))
    return dict(zip(numbers_of(linked).to_list(), numbers_of(persons).to_list(), strict=True))
