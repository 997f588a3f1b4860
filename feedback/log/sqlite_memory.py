"""The SQLite log's memory of what was appended: identities, and the latest undated statement about each topic.

All writers of the file share it. A topic is noted when a statement without id and time is appended, and forgotten when
another statement about it follows. Kinds without such statements cost nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal

from feedback.log.port import Memo

KEYS_PER_QUERY = 500
"""Keys of one question; SQLite takes 999 parameters at least."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS identities (key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (key BLOB PRIMARY KEY, day INTEGER NOT NULL, content INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statements (
    key BLOB PRIMARY KEY, day INTEGER NOT NULL, content INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statement_kinds (kind TEXT PRIMARY KEY) WITHOUT ROWID;
"""
"""`identities` is the table of earlier releases, whose keys lack kind and source; their processes may still write it.
This release writes `events`."""
TABLES: tuple[Literal["identities", "events", "statements"], ...] = ("identities", "events", "statements")
"""Those whose rows are forgotten with the retention."""


def remember(connection: sqlite3.Connection, memos: Sequence[Memo], *, day: int) -> None:
    """Note appended events, in their order."""
    connection.executemany(
        "INSERT OR IGNORE INTO events (key, day, content) VALUES (?, ?, ?)",
        [(memo.key, day, memo.content) for memo in memos if not memo.is_undated_statement],
    )
    statements = [(memo.topic, memo) for memo in memos if memo.topic is not None]
    if not statements:
        return
    tracked = {kind for (kind,) in connection.execute("SELECT kind FROM statement_kinds")}
    undated = {_kind_of(topic) for topic, memo in statements if memo.undated}
    connection.executemany("INSERT OR IGNORE INTO statement_kinds VALUES (?)", [(kind,) for kind in undated - tracked])
    last = {topic: memo for topic, memo in statements if _kind_of(topic) in tracked | undated}
    noted = [(_key(topic), day, memo.content or 0) for topic, memo in last.items() if memo.undated]
    connection.executemany("INSERT OR REPLACE INTO statements (key, day, content) VALUES (?, ?, ?)", noted)
    replaced = [(_key(topic),) for topic, memo in last.items() if not memo.undated]
    connection.executemany("DELETE FROM statements WHERE key = ?", replaced)


def seen_ids(connection: sqlite3.Connection, keys: Iterable[bytes]) -> dict[bytes, int | None]:
    """The keys that are noted, each with its content."""
    asked = list(keys)
    found: dict[bytes, int | None] = {}
    has_former = connection.execute("SELECT 1 FROM identities LIMIT 1").fetchone() is not None
    for start in range(0, len(asked), KEYS_PER_QUERY):
        some = asked[start : start + KEYS_PER_QUERY]
        places = ",".join("?" * len(some))
        if has_former:
            found.update(connection.execute(f"SELECT key, NULL FROM identities WHERE key IN ({places})", some))
        found.update(connection.execute(f"SELECT key, content FROM events WHERE key IN ({places})", some))
    return found


def latest_statements(connection: sqlite3.Connection, topics: Iterable[str]) -> dict[str, int]:
    """The topics whose latest statement came without id and time, each with its content."""
    found = {
        topic: connection.execute("SELECT content FROM statements WHERE key = ?", (_key(topic),)).fetchone()
        for topic in topics
    }
    return {topic: row[0] for topic, row in found.items() if row is not None}


def _kind_of(topic: str) -> str:
    return topic.partition("\0")[0]


def _key(topic: str) -> bytes:
    return hashlib.blake2b(topic.encode("utf-8", "surrogatepass"), digest_size=16).digest()
