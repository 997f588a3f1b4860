"""Live windows as they stand now: what they are, and the part of the online store that holds them, as a port.

A row is what one log partition brought to one window; readers add partitions up. A partition's rows and its mark,
the position up to which they count, change in one transaction, and only if the mark is still the one that the
writer built on. So a repeat counts nothing twice, and a worker that lost the partition cannot overwrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Protocol

import msgspec
import polars as pl

from feedback.errors import UsageError
from feedback.settings import Settings
from lakehouse.tables import SIGNAL_TALLIES

Scope = Literal["item", "section", "all"]

SIZES: dict[str, int] = {"10s": 10, "1m": 60, "1h": 3600}
"""The lengths of windows by name, in seconds; each divides the next."""
SCOPES: tuple[Scope, ...] = ("item", "section", "all")
TALLIES: tuple[str, ...] = tuple(column.name for column in SIGNAL_TALLIES)

KEY_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "size_seconds": pl.Int32,
    "start": pl.Int64,
    "scope": pl.String,
    "key": pl.String,
    "log_partition": pl.Int32,
}
"""What names a row; `start` in seconds since 1970 (UTC)."""
KEY = tuple(KEY_SCHEMA)
ROW_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **KEY_SCHEMA,
    "final": pl.Boolean,
    "people": pl.Binary,
    **dict.fromkeys(TALLIES, pl.Int64),
}
WINDOW = ("size_seconds", "start", "scope", "key")
"""What names a window over all partitions."""


class Mark(msgspec.Struct, frozen=True):
    """How far one log partition is counted: `pane` grows with every write, `position` is the next offset to count."""

    pane: int = 0
    position: int = 0


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

    def newest(self, size_seconds: int, scope: Scope, *, key: str | None = None, windows: int) -> pl.DataFrame:
        """The rows of the newest windows of one length and scope, all partitions."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def size_named(name: str) -> int:
    """The length of a window by its name, in seconds.

    Raises:
        UsageError: There is no such length.
    """
    if name not in SIZES:
        raise UsageError(f"window {name!r}: there is no such length; choose one of {', '.join(SIZES)}")
    return SIZES[name]


def scope_named(name: str) -> Scope:
    """A scope by its name.

    Raises:
        UsageError: There is no such scope.
    """
    for scope in SCOPES:
        if scope == name:
            return scope
    raise UsageError(f"scope {name!r}: there is no such scope; choose one of {', '.join(SCOPES)}")


def lateness_of(settings: Settings) -> timedelta:
    """How long after a window's end an event may reach the log and still count."""
    return timedelta(seconds=settings.signals_lateness_seconds)
