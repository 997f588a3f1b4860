"""The feedback log on Kafka: one topic, its partitions chosen by the subject, its positions kept in Delta.

An append is durable on all in-sync replicas when it returns. A failed append may have written some of its records:
Kafka is atomic over several partitions only with transactions, and their markers would leave gaps between offsets. The
sender tries again, and landing finds the copies as duplicates. The consumer group of `join` assigns partitions; it
never commits offsets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from feedback.errors import LogError
from feedback.log.kafka.assignment import GroupAssignment
from feedback.log.kafka.client import Connection, parse_address
from feedback.log.kafka.producer import Appender
from feedback.log.kafka.reader import KafkaReader, KnownEnds
from feedback.log.kafka.topic import Topic
from feedback.log.leases import Monotonic
from feedback.log.port import UNLIMITED_BYTES, Memo, NewRecord, PartitionAssignment
from feedback.log.records import Records

REMEMBERED_KEYS = 1_000_000
"""Identity keys that one process remembers; about 150 MB when they are full."""


class KafkaLog:
    """A `FeedbackLog` in one Kafka topic."""

    def __init__(
        self,
        rest: str,
        *,
        name: str = "feedback",
        partitions: int = 4,
        options: Mapping[str, str] | None = None,
        retention_days: int = 30,
        lease_seconds: float = 6.0,
        clock: Monotonic = time.monotonic,
    ) -> None:
        servers, topic = parse_address(rest)
        self._connection = Connection(servers, topic, dict(options or {}))
        self._name = name
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._topic = Topic(self._connection)
        self._facts = self._topic.open(partitions=partitions, retention_days=retention_days)
        self._lock = threading.Lock()
        self._reader: KafkaReader | None = None
        self._appender: Appender | None = None
        self._known_ends = KnownEnds()
        self._memory = _Memory(REMEMBERED_KEYS)
        self._closed = False

    @property
    def name(self) -> str:
        """The log's name."""
        return self._name

    @property
    def partitions(self) -> int:
        """How many partitions the topic had when it was opened."""
        return self._facts.partitions

    @property
    def incarnation(self) -> int:
        """From the topic's id."""
        return self._facts.incarnation

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Append records; durable on all replicas in sync on return. Returns their offsets."""
        for record in records:
            self._require(record.partition)
        if not records:
            return []
        offsets = self._appending().append(records, now_ms=int(now.timestamp() * 1000))
        self._memory.add(memo for record in records for memo in record.memos if not memo.is_undated_statement)
        for record, offset in zip(records, offsets, strict=True):
            self._known_ends.note(record.partition, offset + 1)
        return offsets

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        """Records from `offset` on, at least one if there is one, until `max_events` or `max_bytes` are reached."""
        self._require(partition)
        return self._reading().read(partition, offset, max_events=max_events, max_bytes=max_bytes)

    def bounds(self) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        self._require_open()
        self._topic.verify(self._facts)
        bounds = self._topic.bounds(self._facts.partitions)
        for partition, (_, end) in bounds.items():
            self._known_ends.note(partition, end)
        return bounds

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Which identity keys this process appended lately, each with the digest of its content."""
        return self._memory.among(keys)

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        """Nothing: another gateway may have appended in between. Landing decides."""
        del topics
        return {}

    def join(self, worker: str) -> PartitionAssignment:
        """Become one of the workers that share the partitions."""
        self._require_open()
        return GroupAssignment(
            self._connection, worker, group=self._group, lease_seconds=self._lease_seconds, clock=self._clock
        )

    def trim(self, *, before: datetime, keep_from: dict[int, int]) -> int:
        """Drop records earlier than the topic's own retention does; returns how many."""
        self._require_open()
        return self._topic.trim(self.bounds(), before_ms=int(before.timestamp() * 1000), keep_from=keep_from)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            self._closed = True
            for part in (self._reader, self._appender):
                if part is not None:
                    part.close()
            self._reader = self._appender = None

    @property
    def _group(self) -> str:
        return f"heed-landing-{self._name}"

    def _reading(self) -> KafkaReader:
        with self._lock:
            self._require_open()
            if self._reader is None:
                self._reader = KafkaReader(
                    self._connection, self._topic, self._facts, known_ends=self._known_ends, group=self._group
                )
            return self._reader

    def _appending(self) -> Appender:
        with self._lock:
            self._require_open()
            if self._appender is None or self._appender.broken:
                self._appender = Appender(self._connection)
            return self._appender

    def _require(self, partition: int) -> None:
        if not 0 <= partition < self._facts.partitions:
            raise LogError(f"partition {partition} does not exist; there are {self._facts.partitions}")

    def _require_open(self) -> None:
        if self._closed:
            raise LogError(f"{self._connection.log} is closed")


class _Memory:
    """The most recent keys of a process, in two generations: when the newer is full, the older is dropped."""

    def __init__(self, capacity: int) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[bytes, int | None] = {}
        self._old: dict[bytes, int | None] = {}
        self._lock = threading.Lock()

    def add(self, memos: Iterable[Memo]) -> None:
        with self._lock:
            for memo in memos:
                if len(self._young) >= self._half:
                    self._old, self._young = self._young, {}
                self._young[memo.key] = memo.content

    def among(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        with self._lock:
            return {key: part[key] for key in keys for part in (self._old, self._young) if key in part}
