"""Leases: how the workers of one SQLite log share its partitions.

A worker writes a heartbeat into the log's file once a second. A worker without a heartbeat for the lease's length is
dropped, and the others take its partitions. A partition is never taken from a live worker: one that holds more than its
quota gives the surplus up itself. Heartbeats are times of the machine's monotonic clock, which all its processes share
and nobody can set; one that lies ahead was written before the last boot.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from feedback.errors import LogError

LOGGER = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.1
"""How soon a worker sees that another came or went; a look reads a few rows and writes nothing."""

BUSY_TIMEOUT_SECONDS = 1.0
"""How long a look may wait for another's transaction; a longer one is tried again at the next look."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS workers (worker TEXT PRIMARY KEY, beat REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (partition INTEGER PRIMARY KEY, worker TEXT NOT NULL);
"""

Monotonic = Callable[[], float]
"""Seconds of a clock that all processes of the machine share and that never goes back."""


@dataclass(frozen=True, slots=True)
class Group:
    """The workers of a log: each one's last heartbeat, and the holder of each partition (None: nobody)."""

    beats: Mapping[str, float]
    holders: Mapping[int, str | None]


def living(beats: Mapping[str, float], *, now: float, lease_seconds: float) -> set[str]:
    """The workers whose lease has not run out."""
    return {worker for worker, beat in beats.items() if 0 <= now - beat < lease_seconds}


def assignment_of(worker: str, group: Group, *, alive: set[str]) -> frozenset[int]:
    """The partitions that a live worker should hold next: its own, then free ones, up to its quota.

    Quotas differ by at most one, and the larger ones go to those who hold most already, so that nothing moves
    without need. A partition of another living worker is never taken.
    """
    held: dict[str, list[int]] = {name: [] for name in alive}
    free: list[int] = []
    for partition, holder in sorted(group.holders.items()):
        held.get(holder or "", free).append(partition)
    least, larger = divmod(len(group.holders), len(alive))
    rank = sorted(alive, key=lambda name: (-len(held[name]), name)).index(worker)
    quota = least + (rank < larger)
    return frozenset((held[worker] + free)[:quota])


class LeasedAssignment:
    """A `PartitionAssignment` by leases in a SQLite file that has the tables of `SCHEMA`; for one thread at a time."""

    def __init__(self, path: str, worker: str, *, partitions: int, lease_seconds: float, clock: Monotonic) -> None:
        self._path = path
        # A worker that starts again under its old name is another member, until the old one's lease runs out.
        self._member = f"{worker}#{secrets.token_hex(8)}"
        self._partitions = range(partitions)
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._mine: frozenset[int] = frozenset()
        self._beat = float("-inf")
        self._looked = float("-inf")
        self._left = False
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        # A beat lost in a power cut costs nothing, so it need not wait for the disk nor keep appends waiting.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self.partitions()

    def partitions(self) -> frozenset[int]:
        """The partitions that are this worker's now."""
        if self._left:
            return frozenset()
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now)
        return self._mine

    def leave(self) -> None:
        """Give the partitions to others at once."""
        if self._left:
            return
        self._left, self._mine = True, frozenset()
        try:
            with self._transaction():
                self._connection.execute("DELETE FROM leases WHERE worker = ?", (self._member,))
                self._connection.execute("DELETE FROM workers WHERE worker = ?", (self._member,))
        except sqlite3.Error as error:
            # The lease then runs out by itself; a worker that leaves has no more to say about it.
            LOGGER.warning("%s", self._refusal(error))
        finally:
            self._connection.close()

    @property
    def _beat_seconds(self) -> float:
        return min(BEAT_SECONDS, self._lease_seconds / 4)

    def _look(self, now: float) -> None:
        try:
            if now - self._beat >= self._beat_seconds or self._is_due_to_change(now):
                self._renew()
        except sqlite3.Error as error:
            if self._clock() - self._beat < self._lease_seconds:
                return  # the lease still holds, so no other worker has taken the partitions
            self._mine = frozenset()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise self._refusal(error) from error

    def _is_due_to_change(self, now: float) -> bool:
        group = self._group()
        alive = living(group.beats, now=now, lease_seconds=self._lease_seconds)
        return self._member not in alive or assignment_of(self._member, group, alive=alive) != self._mine

    def _renew(self) -> None:
        """Beat, forget the dead, give up what is too much and take what is free, all in one transaction."""
        with self._transaction():
            now = self._clock()  # read after the lock: waiting for it must not age the heartbeat
            self._connection.execute("INSERT OR REPLACE INTO workers VALUES (?, ?)", (self._member, now))
            group = self._group()
            alive = living(group.beats, now=now, lease_seconds=self._lease_seconds)
            dead = [(name,) for name in group.beats if name not in alive]
            self._connection.executemany("DELETE FROM leases WHERE worker = ?", dead)
            self._connection.executemany("DELETE FROM workers WHERE worker = ?", dead)
            mine = assignment_of(self._member, group, alive=alive)
            held = {partition for partition, holder in group.holders.items() if holder == self._member}
            self._connection.executemany("DELETE FROM leases WHERE partition = ?", [(p,) for p in held - mine])
            self._connection.executemany("INSERT INTO leases VALUES (?, ?)", [(p, self._member) for p in mine - held])
        self._mine, self._beat = mine, now

    def _group(self) -> Group:
        beats = dict(self._connection.execute("SELECT worker, beat FROM workers"))
        leased = dict(self._connection.execute("SELECT partition, worker FROM leases"))
        return Group(beats, {partition: leased.get(partition) for partition in self._partitions})

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _refusal(self, error: sqlite3.Error) -> LogError:
        return LogError(f"feedback log {self._path}: the lease of worker {self._member} cannot be kept: {error}")
