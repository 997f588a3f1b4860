"""The embedded online store: one SQLite file in WAL mode. Not synced on each commit, for the lake can rebuild it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import polars as pl

from feedback.errors import ServiceError
from lakehouse.online import RecentEvent, online_rows

BUSY_TIMEOUT_SECONDS = 30.0
MAX_RECENT = 1_000
"""Events of one person that a list looks at; older ones are in the bundle by then."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recent (
    subject TEXT NOT NULL, log_partition INTEGER NOT NULL, log_offset INTEGER NOT NULL, log_index INTEGER NOT NULL,
    kind TEXT NOT NULL, item_id TEXT NOT NULL, value REAL, scale_min REAL, scale_max REAL, label TEXT,
    occurred_at INTEGER NOT NULL,
    PRIMARY KEY (subject, log_partition, log_offset, log_index)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consent (
    subject TEXT PRIMARY KEY, personalization INTEGER NOT NULL, occurred_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    subject TEXT NOT NULL, anonymous TEXT NOT NULL, PRIMARY KEY (subject, anonymous)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (log_partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
"""
_COLUMNS = ", ".join(f"recent.{name}" for name in RecentEvent.__struct_fields__)
_OWN = f"SELECT {_COLUMNS} FROM recent WHERE subject = ?1"
_LINKED = f"SELECT {_COLUMNS} FROM links JOIN recent ON recent.subject = links.anonymous WHERE links.subject = ?1"
_LATEST = f"ORDER BY occurred_at DESC, 1 DESC, 2 DESC, 3 DESC LIMIT {MAX_RECENT}"


@lru_cache
def _recent_query(partitions: int) -> str:
    """One question for a person's own events beyond so many known positions and for those of linked visits.

    A partition that has no known position is new: all of its events count.
    """
    if not partitions:
        return f"{_OWN} UNION ALL {_LINKED} {_LATEST}"
    known = ", ".join(f"(?{2 * n + 2}, ?{2 * n + 3})" for n in range(partitions))
    return f"""
        WITH known (partition, position) AS (VALUES {known})
        SELECT {_COLUMNS}
        FROM positions LEFT JOIN known ON known.partition = positions.log_partition
        CROSS JOIN recent ON recent.subject = ?1 AND recent.log_partition = positions.log_partition
            AND recent.log_offset >= coalesce(known.position, 0)
        UNION ALL {_LINKED} {_LATEST}"""


class SqliteOnlineStore:
    """An `OnlineStore` in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ServiceError(f"online store {self._path} cannot be opened: {error}") from error

    def push(self, events: pl.DataFrame, positions: dict[int, int]) -> None:
        """Take over the rows of one commit and its positions; repeating it is harmless."""
        rows = online_rows(events).sort("subject").rows()
        consents = _consents(events)
        links = _links(events)
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT OR IGNORE INTO recent VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
                self._connection.executemany(
                    "INSERT INTO consent VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE "
                    "SET personalization = ?2, occurred_at = ?3 WHERE ?3 >= occurred_at",
                    consents,
                )
                self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?)", links)
                self._connection.executemany(
                    "INSERT INTO positions VALUES (?1, ?2) ON CONFLICT DO UPDATE SET position = max(position, ?2)",
                    list(positions.items()),
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def recent(self, subject: str, *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """A person's recent events, oldest first, those of linked anonymous visits among them."""
        places = [number for pair in sorted((after or {}).items()) for number in pair]
        with self._lock:
            rows = self._connection.execute(_recent_query(len(places) // 2), (subject, *places)).fetchall()
        return [RecentEvent(*row) for row in reversed(rows)]

    def personal(self, subject: str) -> bool:
        """Whether lists may be personal: no consent event withdrew `personalization`."""
        with self._lock:
            row = self._connection.execute(
                "SELECT personalization FROM consent WHERE subject = ?", (subject,)
            ).fetchone()
        return row is None or bool(row[0])

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store."""
        with self._lock:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0]) + self._connection.total_changes

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        with self._lock:
            return dict(self._connection.execute("SELECT log_partition, position FROM positions"))

    def trim(self, *, before: dict[int, int]) -> int:
        """Forget events below these positions; returns how many."""
        with self._lock:
            counts = [
                self._connection.execute(
                    "DELETE FROM recent WHERE log_partition = ? AND log_offset < ?", (partition, position)
                ).rowcount
                for partition, position in before.items()
            ]
        return sum(counts)

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()


def _consents(events: pl.DataFrame) -> list[tuple[str, int, int]]:
    """(subject, may be personal, when) of consent events that speak about personalization, oldest first."""
    rows = (
        events.filter((pl.col("kind") == "consent") & pl.col("subject").is_not_null())
        .sort("occurred_at")
        .select("subject", "payload", pl.col("occurred_at").dt.epoch("us"))
    )
    found: list[tuple[str, int, int]] = []
    for subject, payload, at in rows.iter_rows():
        stated = json.loads(payload or "{}")
        if "personalization" in stated.get("denied", []):
            found.append((subject, 0, at))
        elif "personalization" in stated.get("granted", []):
            found.append((subject, 1, at))
    return found


def _links(events: pl.DataFrame) -> list[tuple[str, str]]:
    rows = events.filter((pl.col("kind") == "identify") & pl.col("payload").is_not_null()).select("subject", "payload")
    linked = ((subject, json.loads(payload).get("anonymous_subject")) for subject, payload in rows.iter_rows())
    return [(subject, anonymous) for subject, anonymous in linked if anonymous]
