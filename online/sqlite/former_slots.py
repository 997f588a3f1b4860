"""Recent events as earlier releases kept them in the online store's SQLite file, until they are moved.

A row of `slots` held one commit's events of everybody who shares three hexadecimal characters, as members of a JSON
array. Both layouts are read; each push moves some commits, the newest first, so no answer is ever incomplete.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

import msgspec
import pyarrow as pa

from online.events import EncodedEvents, RecentEvent, entry_of
from online.sqlite import segments

SLOT_CHARACTERS = 3
EVENTS_AT_ONCE = 50_000
"""Events that are moved in one transaction, and those of the commit that exceeds them."""


class FormerEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as it was written then."""

    log_partition: int
    log_offset: int
    log_index: int
    kind: str
    item_id: str
    value: float | None
    scale_min: float | None
    scale_max: float | None
    label: str | None
    occurred_at: int


_DECODER = msgspec.json.Decoder(list[tuple[str, FormerEvent]])


def are_there(connection: sqlite3.Connection) -> bool:
    """Whether events in the former layout are left."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'commits'")
    return found.fetchone() is not None


def entries_of(connection: sqlite3.Connection, subject: str) -> list[bytes]:
    """JSON of a subject's events, as it is written now."""
    rows = connection.execute("SELECT events FROM slots WHERE slot = ?", (subject[:SLOT_CHARACTERS],))
    return [
        msgspec.json.encode(_now(event))
        for (text,) in rows
        for owner, event in _DECODER.decode(f"[{text}]")
        if owner == subject
    ]


def move(connection: sqlite3.Connection) -> None:
    """Move the newest commits into a segment before all others; in an open transaction."""
    commits = connection.execute("SELECT first_row, last_row, ends FROM commits ORDER BY first_row DESC")
    moved: list[tuple[int, int]] = []
    subjects: list[str] = []
    entries: list[str] = []
    spans: dict[int, tuple[int, int]] = {}
    for first, last, ends in commits:
        for (text,) in connection.execute("SELECT events FROM slots WHERE rowid BETWEEN ? AND ?", (first, last)):
            for owner, event in _DECODER.decode(f"[{text}]"):
                subjects.append(owner)
                entries.append(entry_of(owner, _now(event)))
        for partition, end in json.loads(ends):
            spans[partition] = (0, max(end, spans.get(partition, (0, 0))[1]))
        moved.append((first, last))
        if len(entries) >= EVENTS_AT_ONCE:
            break
    if entries:
        events = EncodedEvents(pa.array(subjects, pa.large_string()), pa.array(entries, pa.large_string()))
        segments.prepend(connection, segments.by_slot(events), len(events), spans)
    _forget(connection, moved)


def trim(connection: sqlite3.Connection, before: Mapping[int, int]) -> int:
    """Forget some of the commits that lie wholly below these positions, in an open transaction.

    Returns how many events that were; 0 when no such commit is left.
    """
    trimmed = 0
    old: list[tuple[int, int]] = []
    for first, last, events, ends in connection.execute("SELECT first_row, last_row, events, ends FROM commits"):
        if all(end <= before.get(p, 0) for p, end in json.loads(ends)):
            old.append((first, last))
            trimmed += events
        if trimmed >= EVENTS_AT_ONCE:
            break
    _forget(connection, old)
    return trimmed


def _forget(connection: sqlite3.Connection, commits: list[tuple[int, int]]) -> None:
    """Drop commits, and the tables with the last of them."""
    for first, last in commits:
        connection.execute("DELETE FROM slots WHERE rowid BETWEEN ? AND ?", (first, last))
        connection.execute("DELETE FROM commits WHERE first_row = ?", (first,))
    if connection.execute("SELECT 1 FROM commits LIMIT 1").fetchone() is None:
        connection.execute("DROP TABLE slots")
        connection.execute("DROP TABLE commits")


def _now(event: FormerEvent) -> RecentEvent:
    return RecentEvent(**msgspec.structs.asdict(event))
