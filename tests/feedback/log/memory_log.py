"""A feedback log in memory: real in what it promises, under a clock that a test may move."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from feedback.errors import LogError, LogGap
from feedback.log.leases import Group, Monotonic, assignment_of, living
from feedback.log.port import UNLIMITED_BYTES, NewRecord, PartitionAssignment
from feedback.log.records import LogRecord, Records

_INCARNATIONS = itertools.count(1)


@dataclass
class Storage:
    """What outlives the handles of a log."""

    partitions: int = 4
    incarnation: int = field(default_factory=lambda: next(_INCARNATIONS))
    records: dict[int, list[LogRecord]] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    keys: dict[bytes, int | None] = field(default_factory=dict)
    beats: dict[str, float] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for partition in range(self.partitions):
            self.records[partition], self.first[partition] = [], 0


class MemoryLog:
    """A `FeedbackLog` over a `Storage`."""

    def __init__(
        self,
        storage: Storage,
        *,
        name: str = "feedback",
        lease_seconds: float = 6.0,
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._storage = storage
        self._lease_seconds = lease_seconds
        self._clock = clock
        self.name = name
        self.partitions = storage.partitions
        self.incarnation = storage.incarnation

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        for record in records:
            self._require(record.partition)
        offsets = []
        with self._storage.lock:
            for record in records:
                held = self._storage.records[record.partition]
                offset = self._storage.first[record.partition] + len(held)
                at = int(now.timestamp() * 1000)
                held.append(LogRecord(record.partition, offset, at, record.count, record.value, record.headers))
                self._storage.keys.update((memo.key, memo.content) for memo in record.memos)
                offsets.append(offset)
        return offsets

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        self._require(partition)
        with self._storage.lock:
            first, held = self._storage.first[partition], self._storage.records[partition]
            if not first <= offset <= first + len(held):
                raise LogGap(
                    f"log {self.name!r}, partition {partition}: offset {offset} is asked for, "
                    f"but the log holds {first} to {first + len(held) - 1}"
                )
            found: list[LogRecord] = []
            events = size = 0
            for record in held[offset - first :]:
                events, size = events + record.count, size + len(record.value)
                if found and (events > max_events or size > max_bytes):
                    break
                found.append(record)
            return Records.of(found)

    def bounds(self) -> dict[int, tuple[int, int]]:
        with self._storage.lock:
            return {p: (first, first + len(self._storage.records[p])) for p, first in self._storage.first.items()}

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        return {key: self._storage.keys[key] for key in keys if key in self._storage.keys}

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        del topics
        return {}

    def join(self, worker: str) -> PartitionAssignment:
        return MemoryAssignment(self._storage, f"{worker}#{object().__hash__()}", self._lease_seconds, self._clock)

    def trim(self, *, before: datetime, keep_from: dict[int, int]) -> int:
        dropped = 0
        with self._storage.lock:
            for partition, held in self._storage.records.items():
                first = self._storage.first[partition]
                while (
                    held and held[0].appended_at_ms < before.timestamp() * 1000 and first < keep_from.get(partition, 0)
                ):
                    held.pop(0)
                    first, dropped = first + 1, dropped + 1
                self._storage.first[partition] = first
        return dropped

    def close(self) -> None:
        """Nothing to release."""

    def _require(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise LogError(f"partition {partition} does not exist; there are {self.partitions}")


class MemoryAssignment:
    """A `PartitionAssignment` by the rules of the leases; each question is a beat."""

    def __init__(self, storage: Storage, member: str, lease_seconds: float, clock: Monotonic) -> None:
        self._storage = storage
        self._member = member
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._left = False

    def partitions(self) -> frozenset[int]:
        if self._left:
            return frozenset()
        with self._storage.lock:
            now = self._clock()
            self._storage.beats[self._member] = now
            alive = living(self._storage.beats, now=now, lease_seconds=self._lease_seconds)
            self._forget(self._storage.beats.keys() - alive)
            holders = {p: self._storage.holders.get(p) for p in range(self._storage.partitions)}
            mine = assignment_of(self._member, Group(dict(self._storage.beats), holders), alive=alive)
            for partition, holder in holders.items():
                if holder == self._member and partition not in mine:
                    del self._storage.holders[partition]
            self._storage.holders |= dict.fromkeys(mine, self._member)
            return mine

    def leave(self) -> None:
        self._left = True
        with self._storage.lock:
            self._forget({self._member})

    def _forget(self, members: set[str]) -> None:
        for member in members:
            self._storage.beats.pop(member, None)
        for partition, holder in list(self._storage.holders.items()):
            if holder in members:
                del self._storage.holders[partition]
