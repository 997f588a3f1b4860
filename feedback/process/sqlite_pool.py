"""Connections to a SQLite file, checked out for a call and given back after it.

A connection per thread would leak its file descriptors with every thread that ends: web servers end idle threads and
start new ones. A pool holds as many as calls run at once, up to its size; further calls wait for one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ConnectionPool:
    """At most `size` connections, shared by all threads; the one that was used last is taken first.

    A thread must not take a second connection while it holds one: with all others waiting it would wait for ever.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, size: int) -> None:
        """Open nothing yet.

        Args:
            connect: Opens one connection; it must allow use by several threads (`check_same_thread=False`).
            size: How many connections may be open at once.
        """
        self._connect = connect
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def taken(self) -> Iterator[sqlite3.Connection]:
        """One connection for the length of a block; a transaction that the block leaves open is rolled back.

        Raises:
            sqlite3.Error: The pool was closed, or the file cannot be opened.
        """
        with self._free:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close every connection; one that is in use is closed when it is given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("it was closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.rollback()
        except sqlite3.Error:  # the next call gets a new connection
            connection.close()
            return
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
