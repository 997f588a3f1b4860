"""The embedded online store: one SQLite file in WAL mode. Not synced on each commit, for the lake can rebuild it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from feedback.consent import Standing
from feedback.links import Link
from online.backend import Basis, Changes
from online.sqlite import former_slots, people, segments
from online.sqlite.file import connect, reading, transaction
from online.statements import Owner
from online.store import KeyedOnlineStore

CACHE_KIB = 32_768

_SCHEMA = f"""
PRAGMA cache_size = -{CACHE_KIB};
CREATE TABLE IF NOT EXISTS positions (log_partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
{segments.SCHEMA}{people.SCHEMA}"""


class SqliteOnlineStore(KeyedOnlineStore):
    """An `OnlineStore` in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(SqliteBackend(path))


class SqliteBackend:
    """An `OnlineBackend` in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._connection = connect(self._path, _SCHEMA)
        with reading(self._path):
            people.adopt_former(self._connection)
            self._has_former = former_slots.are_there(self._connection)

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        with self._lock, reading(self._path):
            return self._positions()

    def apply(self, changes: Changes, *, basis: Basis) -> bool:
        """Write changes in one transaction, or nothing and return False where the basis no longer holds."""
        events = changes.events
        rows = [] if events is None else list(segments.by_slot(events))  # other writers need not wait for this
        with self._lock, transaction(self._connection, self._path):
            known = self._positions()
            held = {partition: known.get(partition, 0) for partition in basis.positions}
            if held != basis.positions or people.owes_consents(self._connection) != basis.owes_consents:
                return False
            moved = {p: end for p, end in changes.positions.items() if end > known.get(p, 0)}
            if events is not None:
                spans = {p: (known.get(p, 0), end) for p, end in moved.items()}
                segments.append(self._connection, rows, len(events), spans)
            people.write(self._connection, changes)
            self._connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", moved.items())
        return True

    def tidy(self) -> None:
        """Merge segments where there are many, and move events out of the former layout."""
        self._move_former()
        with self._lock, reading(self._path):
            due = segments.next_merge(self._connection)
        for first in range(0, segments.SLOTS if due else 0, segments.SLOTS_AT_ONCE):
            with self._lock, transaction(self._connection, self._path):
                if not segments.is_next_merge(self._connection, due):
                    return  # another process was quicker
                segments.merge_slots(self._connection, due, first)
                if first + segments.SLOTS_AT_ONCE >= segments.SLOTS:
                    segments.finish_merge(self._connection, due)

    def events_of(self, subjects: Sequence[str], *, at_most: int) -> list[bytes]:
        """JSON of these subjects' events."""
        with self._lock, reading(self._path):
            if not self._has_former:
                return self._entries_of(subjects, at_most=at_most)
            self._connection.execute("BEGIN")  # another process may move events from one layout to the other
            try:
                self._has_former = former_slots.are_there(self._connection)
                found = self._entries_of(subjects, at_most=at_most)
                if self._has_former:
                    found += [text for who in subjects for text in former_slots.entries_of(self._connection, who)]
            finally:
                self._connection.execute("ROLLBACK")
            return found

    def trim(self, *, before: Mapping[int, int]) -> int:
        """Forget events that lie below these positions, at once or with a later call; returns how many were."""
        with self._lock, reading(self._path):
            numbers = segments.trimmable(self._connection, before)
        trimmed = sum(self._trim(number, before) for number in numbers)
        while count := self._trim_former(before):
            trimmed += count
        return trimmed

    def _trim(self, number: int, before: Mapping[int, int]) -> int:
        """One segment at a time, since every other writer waits for a transaction."""
        with self._lock, transaction(self._connection, self._path):
            return segments.trim(self._connection, number, before)

    def _trim_former(self, before: Mapping[int, int]) -> int:
        with self._lock, transaction(self._connection, self._path):
            is_there = former_slots.are_there(self._connection)
            return former_slots.trim(self._connection, before) if is_there else 0

    def standings(self, owners: Iterable[Owner]) -> dict[Owner, Standing]:
        """Those that are there."""
        with self._lock, reading(self._path):
            return people.standings(self._connection, owners)

    def standings_of(self, subjects: Iterable[str]) -> list[Standing]:
        """All standings of these subjects."""
        with self._lock, reading(self._path):
            return people.standings_of(self._connection, subjects)

    def owes_consents(self) -> bool:
        """Whether consent or links come from an earlier release and were not stated anew since."""
        with self._lock, reading(self._path):
            return people.owes_consents(self._connection)

    def visits_of(self, subject: str, *, at_most: int) -> list[str]:
        """The visits that a subject claims, other than itself; some of them where there are more."""
        with self._lock, reading(self._path):
            return people.visits_of(self._connection, subject, at_most=at_most)

    def claimants_of(self, anonymous: str, *, at_most: int) -> list[str]:
        """Who else claims it, the earliest claim first, then by subject."""
        with self._lock, reading(self._path):
            return people.claimants_of(self._connection, anonymous, at_most=at_most)

    def links(self) -> list[Link]:
        """All links."""
        with self._lock, reading(self._path):
            return people.links(self._connection)

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store."""
        with self._lock, reading(self._path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0]) + self._connection.total_changes

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()

    def _entries_of(self, subjects: Sequence[str], *, at_most: int) -> list[bytes]:
        return [text for who in subjects for text in segments.entries_of(self._connection, who, at_most=at_most)]

    def _move_former(self) -> None:
        """Move some events out of the former layout; a process of an earlier release may add some at any time."""
        with self._lock, reading(self._path):
            if not former_slots.are_there(self._connection):
                self._has_former = False
                return
        with self._lock, transaction(self._connection, self._path):
            self._has_former = former_slots.are_there(self._connection)
            if self._has_former:
                former_slots.move(self._connection)

    def _positions(self) -> dict[int, int]:
        return dict(self._connection.execute("SELECT log_partition, position FROM positions"))
