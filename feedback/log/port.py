"""The feedback log: the ordered, partitioned, replayable stream behind the gateway, as a port.

A record holds one event or several, one JSON line each, and gets the next offset of its partition: 0, 1, 2 …
without gaps. Reading resumes from a position (the next offset to read) that the reader keeps; the log itself keeps
none. An implementation passes the conformance suite in tests/feedback/log/log_conformance.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from feedback.log.records import Headers as Headers
from feedback.log.records import LogRecord as LogRecord
from feedback.log.records import Records

RECORD_BYTES = 1024 * 1024
"""What a record holds at most, unless one event alone is larger; any Kafka takes it, and landing takes it whole."""

UNLIMITED_BYTES = 1 << 62


class Memo(msgspec.Struct, frozen=True, gc=False):
    """What a log remembers an event by.

    Attributes:
        key: The key of its identity.
        content: A digest of its content, a signed 64-bit number; tells a retry from another event of the same id.
        topic: What a statement is about (`feedback.statements`); `None` for other kinds.
        undated: Whether the sender stated neither id nor time.
    """

    key: bytes
    content: int | None = None
    topic: str | None = None
    undated: bool = False

    @property
    def is_undated_statement(self) -> bool:
        """Whether the event is known by the latest statement about its topic, not by its identity."""
        return self.undated and self.topic is not None


class NewRecord(msgspec.Struct, frozen=True):
    """What to append: `count` event lines of one partition, what to remember each of them by, and headers."""

    partition: int
    value: bytes
    count: int
    memos: tuple[Memo, ...] = ()
    headers: Headers = ()


class PartitionAssignment(Protocol):
    """The partitions assigned to one worker: who reads what. Who may land is decided by the fence at the commit.

    For a moment two workers may both hold a partition: a paused worker learns that it lost one when it asks next. So
    an assignment saves double work; correctness does not depend on it.
    """

    def partitions(self) -> frozenset[int]:
        """The partitions that are this worker's now. Cheap; asking keeps the worker in the group.

        Raises:
            LogError: Membership cannot be kept, since the log does not answer.
        """
        ...

    def leave(self) -> None:
        """Give the partitions to others at once; afterwards the assignment is empty for good."""
        ...


class FeedbackLog(Protocol):
    """An append-only, partitioned log of admitted events; used by several processes and threads at once."""

    @property
    def name(self) -> str:
        """The log's name, part of the application id under which landing commits positions."""
        ...

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        ...

    @property
    def incarnation(self) -> int:
        """A number from 1 to 2**62 that names this very log: one made anew under the same name has another."""
        ...

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Append records; durable on return. Returns their offsets.

        After an error nobody may count on a record being in. SQLite then holds none of the call; Kafka may hold
        some, and landing finds them as duplicates when the sender tries again.

        Raises:
            LogError: A partition does not exist, or the log refused.
        """
        ...

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        """Records from `offset` on, at least one if there is one, until `max_events` or `max_bytes` are reached.

        With `max_events=0` it only says where a reader will go on, so that fetching begins; what it returns is void.

        Raises:
            LogGap: `offset` is no longer held, or lies beyond the end.
        """
        ...

    def bounds(self) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        ...

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Of these identity keys, those appended within the retention, each with the digest of its content, if known.

        A key may be missing from the answer although it was appended; one that was not is never in it.
        """
        ...

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        """Of topics whose latest statement came without id and time, the digest of its content.

        Left out is what is not known for sure: the log may forget, and one whose writers do not see each other's
        appends before they answer knows nothing. Landing decides then.
        """
        ...

    def join(self, worker: str) -> PartitionAssignment:
        """Become one of the workers that share the partitions; `worker` names this process among them."""
        ...

    def trim(self, *, before: datetime, keep_from: dict[int, int]) -> int:
        """Drop whole records appended before a time, but none at or after `keep_from`; returns how many."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


def partition_of(owner: str, partitions: int) -> int:
    """The partition of an owner: the same for all its events, so that duplicates meet in order."""
    return zlib.crc32(owner.encode()) % partitions


def pack(
    events: Iterable[tuple[int, bytes, Memo]],
    *,
    max_events: int,
    max_bytes: int = RECORD_BYTES,
    headers: Headers = (),
) -> list[NewRecord]:
    """Group (partition, line, memo) into records with the same headers, in order within a partition.

    A record has at most `max_events` lines, and one line only where the next would take it beyond `max_bytes`.
    """
    groups: dict[int, list[tuple[bytes, Memo]]] = {}
    for partition, line, memo in events:
        groups.setdefault(partition, []).append((line, memo))
    records: list[NewRecord] = []
    for partition, lines in groups.items():
        chunk: list[tuple[bytes, Memo]] = []
        size = 0
        for line, memo in lines:
            if chunk and (len(chunk) == max_events or size + len(line) > max_bytes):
                records.append(_record(partition, chunk, headers))
                chunk, size = [], 0
            chunk.append((line, memo))
            size += len(line) + 1
        records.append(_record(partition, chunk, headers))
    return records


def _record(partition: int, chunk: Sequence[tuple[bytes, Memo]], headers: Headers) -> NewRecord:
    value = b"\n".join(line for line, _ in chunk)
    return NewRecord(partition, value, len(chunk), tuple(memo for _, memo in chunk), headers)
