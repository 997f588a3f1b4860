"""The embedded online store's SQLite file, as each of its parts opens and writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.errors import ServiceError

BUSY_TIMEOUT_SECONDS = 5.0
"""How long to wait for another writer. A stopped process keeps the lock until it is continued."""
CHECKPOINT_PAGES = 16_000
"""64 MiB of write-ahead log between its checkpoints: each of them writes every changed page once more."""


def connect(path: str, schema: str) -> sqlite3.Connection:
    """A connection for several threads, which begins no transaction by itself; the file is made on first use.

    Raises:
        ServiceError: It cannot be opened.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.executescript(schema)
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(f"online store {path} cannot be opened: {error}") from error
    return connection


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Reads of the file.

    Raises:
        ServiceError: It cannot be read.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise ServiceError(f"online store {path} cannot be read: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """All of it or nothing.

    Raises:
        ServiceError: The file cannot be written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise ServiceError(f"online store {path} cannot be written: {error}") from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
