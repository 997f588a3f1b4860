"""The feedback log: the ordered, partitioned, replayable stream behind the gateway, as a port.

A record holds one event or several, one JSON line each, and gets the next offset of its partition: 0, 1, 2 …
without gaps. Reading resumes from a position (the next offset to read) that the reader keeps; the log itself keeps
none. An implementation passes the conformance suite in tests/feedback/log_conformance.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from feedback.errors import SettingsError
from feedback.settings import Settings

UNLIMITED_BYTES = 1 << 62
MAX_PACKED_BYTES = 4 * 1024 * 1024
"""Far below what landing takes as one record (`max_record_bytes`), so that what was accepted is never too large."""


class NewRecord(msgspec.Struct, frozen=True):
    """What to append: `count` event lines of one partition, and the identity keys to remember them by."""

    partition: int
    value: bytes
    count: int
    keys: tuple[bytes, ...] = ()


class LogRecord(msgspec.Struct, frozen=True):
    """A record as read: its coordinates, when it was appended (ms since 1970, UTC) and its lines."""

    partition: int
    offset: int
    appended_at_ms: int
    count: int
    value: bytes


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

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Append records all together or not at all; durable on return. Returns their offsets."""
        ...

    def read(
        self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES
    ) -> list[LogRecord]:
        """Records from `offset` on, at least one if there is one, until `max_events` or `max_bytes` are reached.

        Raises:
            LogGap: `offset` is no longer held, or lies beyond the end.
        """
        ...

    def bounds(self) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        ...

    def recall(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which identity keys were appended within the retention; may forget, never invents."""
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
    events: Iterable[tuple[int, bytes, bytes]], *, max_events: int, max_bytes: int = MAX_PACKED_BYTES
) -> list[NewRecord]:
    """Group (partition, line, key) into records, in order within a partition.

    A record holds at most `max_events` lines and `max_bytes`, or one line alone that is longer.
    """
    groups: dict[int, list[tuple[bytes, bytes]]] = {}
    for partition, line, key in events:
        groups.setdefault(partition, []).append((line, key))
    records: list[NewRecord] = []
    for partition, lines in groups.items():
        for chunk in _chunks(lines, max_events, max_bytes):
            value = b"\n".join(line for line, _ in chunk)
            records.append(NewRecord(partition, value, len(chunk), tuple(key for _, key in chunk)))
    return records


def _chunks(
    lines: Iterable[tuple[bytes, bytes]], max_events: int, max_bytes: int
) -> Iterator[list[tuple[bytes, bytes]]]:
    chunk: list[tuple[bytes, bytes]] = []
    size = 0
    for line, key in lines:
        if chunk and (len(chunk) == max_events or size + len(line) >= max_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append((line, key))
        size += len(line) + 1
    if chunk:
        yield chunk


def open_log(settings: Settings) -> FeedbackLog:
    """Open the log that the settings name, making it on first use.

    Raises:
        SettingsError: The address names no known kind of log.
        LogError: It cannot be opened.
    """
    address = settings.log_address
    scheme, _, rest = address.partition("://")
    if scheme == "sqlite":
        from feedback.log_sqlite import SqliteLog

        return SqliteLog(rest, name=settings.log_name, partitions=settings.log_partitions)
    raise SettingsError(f"log_url {address!r}: unknown scheme {scheme!r}; use sqlite:///path/to/file.db")
