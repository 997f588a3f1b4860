"""Numbers about a SQLite log that stand in its own file, beside its partitions and its incarnation."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from feedback.errors import LogError

BUSY_TIMEOUT_SECONDS = 30.0


def noted_number(path: Path, name: str) -> int:
    """A number noted in the log's file; 0 where there is none, or no file.

    Raises:
        LogError: The file cannot be read.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
            is_there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
            if connection.execute(is_there).fetchone() is None:  # it is being made
                return 0
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error as error:
        raise LogError(f"feedback log {path} cannot be read: {error}") from error
    return int(row[0]) if row is not None else 0


def note_number(path: Path, name: str, number: int, *, replace: bool = False) -> None:
    """Note a number in a log's file that exists; the first one stays unless it is to be replaced.

    Raises:
        LogError: The file cannot be written.
    """
    verb = "REPLACE" if replace else "IGNORE"
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)) as connection, connection:
            connection.execute(f"INSERT OR {verb} INTO meta VALUES (?, ?)", (name, str(number)))
    except sqlite3.Error as error:
        raise LogError(f"feedback log {path} cannot be written: {error}") from error
