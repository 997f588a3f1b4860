"""Trim the SQLite log in small steps: appends and leases of other processes get the write lock between two of them.

What is to be dropped is looked for without the write lock. Each step then deletes a bounded number of rows in a
transaction of its own and rests for a multiple of the time that it took. A trim that is cut short leaves a whole log,
and the next one goes on where it ended.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

STEP_ROWS = 500
"""Rows that a step deletes at most."""
STEP_BYTES = 4 * 1024 * 1024
"""Bytes of records after which a step ends; a record that is larger is a step of its own."""
SCAN_KEYS = 50_000
"""Identity keys that are looked through with one query: a read that takes long would let the write-ahead log grow."""
REST = 3.0
"""How long a step rests, in multiples of its own time: others hold the lock for most of the time."""
BUSY_REST_SECONDS = 0.005
"""The shortest rest: a process that waits for the lock asks again every few milliseconds."""


@dataclass(frozen=True, slots=True)
class SteppedTrim:
    """One trim over a connection of its own.

    Attributes:
        connection: Used by this trim alone.
        writing: Enters the lock that the appends of this process share.
        rest: Waits for so many seconds.
    """

    connection: sqlite3.Connection
    writing: Callable[[], AbstractContextManager[object]]
    rest: Callable[[float], None] = time.sleep

    def records(self, bounds: Mapping[int, tuple[int, int]], *, before_ms: int, keep_from: Mapping[int, int]) -> int:
        """Drop records appended before a time and below `keep_from`; returns how many."""
        dropped = 0
        for partition, (first, end) in bounds.items():
            limit = min(self._first_kept(partition, end, before_ms), keep_from.get(partition, first))
            while first < limit:
                first = self._step_end(partition, first, limit)
                with self._step():
                    dropped += self.connection.execute(
                        "DELETE FROM records WHERE partition = ? AND offset < ?", (partition, first)
                    ).rowcount
                    self.connection.execute(
                        "UPDATE heads SET first = max(first, ?) WHERE partition = ?", (first, partition)
                    )
        return dropped

    def keys(self, table: Literal["identities", "events", "statements"], *, before_day: int) -> int:
        """Forget the keys of days before one; returns how many."""
        dropped = 0
        for old in self._old_keys(table, before_day):
            for start in range(0, len(old), STEP_ROWS):
                step = [(key, before_day) for key in old[start : start + STEP_ROWS]]
                with self._step():
                    dropped += self.connection.executemany(
                        f"DELETE FROM {table} WHERE key = ? AND day < ?",
                        step,
                    ).rowcount
        return dropped

    def _first_kept(self, partition: int, end: int, before_ms: int) -> int:
        """The first offset that is young enough to stay, `end` where none is."""
        row = self.connection.execute(
            "SELECT offset FROM records WHERE partition = ? AND appended_at_ms >= ? ORDER BY offset LIMIT 1",
            (partition, before_ms),
        ).fetchone()
        return end if row is None else int(row[0])

    def _step_end(self, partition: int, first: int, limit: int) -> int:
        """Up to which offset the step goes that starts at `first`."""
        sizes = self.connection.execute(
            "SELECT offset, length(value) FROM records WHERE partition = ? AND offset >= ? AND offset < ? "
            "ORDER BY offset LIMIT ?",
            (partition, first, limit, STEP_ROWS),
        ).fetchall()
        return step_end(sizes, limit)

    def _old_keys(self, table: str, before_day: int) -> Iterator[Sequence[bytes]]:
        """Old keys in order, a part of the table at a time."""
        after = b""
        while True:
            last = (
                self.connection.execute(
                    f"SELECT key FROM {table} WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", (after, SCAN_KEYS - 1)
                ).fetchone()
                or self.connection.execute(f"SELECT max(key) FROM {table} WHERE key > ?", (after,)).fetchone()
            )
            if last[0] is None:
                return
            old = f"SELECT key FROM {table} WHERE key > ? AND key <= ? AND day < ? ORDER BY key"
            yield [key for (key,) in self.connection.execute(old, (after, last[0], before_day))]
            after = last[0]

    @contextmanager
    def _step(self) -> Iterator[None]:
        """One short transaction; rests after it."""
        with self.writing():
            self.connection.execute("BEGIN IMMEDIATE")
            began = time.perf_counter()
            try:
                yield
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
        self.rest(max(BUSY_REST_SECONDS, REST * (time.perf_counter() - began)))


def step_end(sizes: Sequence[tuple[int, int]], limit: int) -> int:
    """The offset behind the last record of a step.

    Args:
        sizes: (offset, bytes) of the records from the step's start on, at most `STEP_ROWS`.
        limit: Where the whole trim ends.
    """
    taken = 0
    for offset, size in sizes:
        taken += size
        if taken >= STEP_BYTES:
            return offset + 1
    return sizes[-1][0] + 1 if len(sizes) == STEP_ROWS else limit
