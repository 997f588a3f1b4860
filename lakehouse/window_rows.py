"""Live windows as rows: their lengths and scopes, what names a row, and how far each log partition is counted.

A row is what one log partition brought to one window; readers add partitions up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec
import polars as pl

from feedback.errors import UsageError
from feedback.settings.landing import WindowSettings
from lakehouse.tables.windows import WINDOW_TALLIES

WindowScope = Literal["item", "section", "all"]

SIZES: dict[str, int] = {"10s": 10, "1m": 60, "1h": 3600}
"""The lengths of windows by name, in seconds; each divides the next."""
SCOPES: tuple[WindowScope, ...] = ("item", "section", "all")
TALLIES: tuple[str, ...] = tuple(column.name for column in WINDOW_TALLIES)

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


def size_named(name: str) -> int:
    """The length of a window by its name, in seconds.

    Raises:
        UsageError: There is no such length.
    """
    if name not in SIZES:
        raise UsageError(f"window {name!r}: there is no such length; choose one of {', '.join(SIZES)}")
    return SIZES[name]


def scope_named(name: str) -> WindowScope:
    """A scope by its name.

    Raises:
        UsageError: There is no such scope.
    """
    for scope in SCOPES:
        if scope == name:
            return scope
    raise UsageError(f"scope {name!r}: there is no such scope; choose one of {', '.join(SCOPES)}")


def lateness_of(settings: WindowSettings) -> timedelta:
    """How long after a window's end an event may reach the log and still count."""
    return timedelta(seconds=settings.lateness_seconds)
