"""The embedded online store: one SQLite file in WAL mode. Not synced on each commit, for the lake can rebuild it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from feedback.consent import Statement
from online.port import ONLINE_COLUMNS, RecentEvent, beyond, online_rows
from online.sqlite import consents as online_consents
from online.sqlite.consents import links_of, statements_of
from online.sqlite.file import connect, reading, transaction

MAX_RECENT = 1_000
"""Events of one person that a list looks at; older ones are in the bundle by then."""

SLOT_CHARACTERS = 3
"""People who share the first characters of their pseudonym share a slot; 3 hexadecimal ones make 4,096."""

EVENTS_AT_ONCE = 50_000
"""Events that are written as JSON together; each of their columns is a text of its own meanwhile."""

CACHE_KIB = 32_768

_SCHEMA = f"""
PRAGMA cache_size = -{CACHE_KIB};
CREATE TABLE IF NOT EXISTS slots (slot TEXT NOT NULL, events TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS slots_by_slot ON slots (slot);
CREATE TABLE IF NOT EXISTS commits (
    first_row INTEGER PRIMARY KEY, last_row INTEGER NOT NULL, events INTEGER NOT NULL, ends TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS positions (log_partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
{online_consents.SCHEMA}"""


_DECODER = msgspec.json.Decoder(list[tuple[str, RecentEvent]])
"""A slot: whose event each is, and the event."""


class SqliteOnlineStore:
    """An `OnlineStore` in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._connection = connect(self._path, _SCHEMA)
        with reading(self._path):
            online_consents.adopt_former(self._connection)

    def push(self, events: pl.DataFrame, positions: dict[int, int]) -> None:
        """Take over the rows of one commit and its positions; repeating it is harmless.

        Raises:
            ServiceError: The file cannot be written; nothing of the commit is in.
        """
        before = self.positions()
        news = _News.of(beyond(events, before))  # not in the transaction, which keeps every other writer waiting
        with self._lock, transaction(self._connection, self._path):
            known = self._positions()
            if known != before:
                news = _News.of(beyond(events, known))
            self._keep(news, positions)
            online_consents.keep_statements(self._connection, news.statements)
            self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?)", news.links)
            moved = [(p, end) for p, end in positions.items() if end > known.get(p, 0)]
            self._connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", moved)

    def recent(self, subject: str, *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """A person's recent events, oldest first, those of linked anonymous visits among them."""
        known = after or {}
        with self._lock, reading(self._path):
            linked = online_consents.linked_with(self._connection, subject)
            texts = {who: self._connection.execute(_SLOT, (_slot(who),)).fetchall() for who in linked}
        events = [
            event
            for who, rows in texts.items()
            for (text,) in rows
            for owner, event in _DECODER.decode(f"[{text}]")
            if owner == who and (who != subject or event.log_offset >= known.get(event.log_partition, 0))
        ]
        events.sort(key=_in_time)
        return events[-MAX_RECENT:]

    def personal(self, subject: str) -> bool:
        """Whether lists may be personal: neither this subject nor those linked with it withdrew `personalization`."""
        with self._lock, reading(self._path):
            return online_consents.is_personal(self._connection, subject)

    def owes_consents(self) -> bool:
        """Whether an earlier release wrote the consent that is kept, by another rule."""
        with self._lock, reading(self._path):
            return online_consents.owes_consents(self._connection)

    def restate_consents(self, consents: pl.DataFrame, *, at: Mapping[int, int]) -> bool:
        """Take consent from all consent events below the store's positions; refused where those are others."""
        statements = statements_of(consents)
        with self._lock, transaction(self._connection, self._path):
            if self._positions() != dict(at):
                return False
            online_consents.restate(self._connection, statements)
        return True

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store."""
        with self._lock, reading(self._path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0]) + self._connection.total_changes

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        with self._lock, reading(self._path):
            return self._positions()

    def trim(self, *, before: dict[int, int]) -> int:
        """Forget commits that lie wholly below these positions; returns how many events that were."""
        with self._lock, transaction(self._connection, self._path):
            commits = self._connection.execute("SELECT first_row, last_row, events, ends FROM commits").fetchall()
            old = [
                (first, last, events)
                for first, last, events, ends in commits
                if all(end <= before.get(p, 0) for p, end in json.loads(ends))
            ]
            for first, last, _ in old:
                self._connection.execute("DELETE FROM slots WHERE rowid BETWEEN ? AND ?", (first, last))
                self._connection.execute("DELETE FROM commits WHERE first_row = ?", (first,))
        return sum(events for _, _, events in old)

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()

    def _positions(self) -> dict[int, int]:
        return dict(self._connection.execute("SELECT log_partition, position FROM positions"))

    def _keep(self, news: _News, positions: Mapping[int, int]) -> None:
        """Append one row per slot: a few pages at the end, where a row per event would touch every page."""
        if not news.slots:
            return
        last = self._connection.execute("SELECT coalesce(max(last_row), 0) FROM commits").fetchone()[0]
        numbered = [(row, slot, text) for row, (slot, text) in enumerate(news.slots, last + 1)]
        self._connection.executemany("INSERT INTO slots (rowid, slot, events) VALUES (?, ?, ?)", numbered)
        self._connection.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?)",
            (last + 1, last + len(numbered), news.events, json.dumps(sorted(positions.items()))),
        )


@dataclass(frozen=True, slots=True)
class _News:
    """What a push adds."""

    events: int
    slots: list[tuple[str, str]]
    """(slot, its events as members of a JSON array)."""
    statements: dict[online_consents.Owner, list[Statement]]
    links: list[tuple[str, str]]

    @classmethod
    def of(cls, fresh: pl.DataFrame) -> _News:
        """Of rows that the store does not have."""
        rows = online_rows(fresh)
        return cls(rows.height, _slots(rows).rows() if rows.height else [], statements_of(fresh), links_of(fresh))


_SLOT = "SELECT events FROM slots WHERE slot = ? ORDER BY rowid"


def _slot(subject: str) -> str:
    return subject[:SLOT_CHARACTERS]


def _slots(rows: pl.DataFrame) -> pl.DataFrame:
    """(slot, its events as members of a JSON array), in columns from `ONLINE_COLUMNS`."""
    events = pl.concat([_events(part) for part in rows.iter_slices(EVENTS_AT_ONCE)])
    return events.group_by("slot", maintain_order=True).agg(pl.col("events").str.join(","))


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    """(slot, one event of it)."""
    owner, *members = (_json_of(rows[name]) for name in ONLINE_COLUMNS)
    event = pl.concat_str(pl.lit("["), owner, pl.lit(",["), pl.concat_str(members, separator=","), pl.lit("]]"))
    return rows.select(pl.col("subject").str.slice(0, SLOT_CHARACTERS).alias("slot"), event.alias("events"))


def _json_of(values: pl.Series) -> pl.Expr:
    """One column as JSON text; looked at as a whole first, since Polars works out every branch for every row."""
    column = pl.col(values.name)
    if values.null_count() == len(values):
        return pl.lit("null")
    if values.dtype != pl.String:
        text = column.cast(pl.String)
    elif values.str.contains(_NEEDS_ESCAPE).any():
        text = pl.struct(column.alias("x")).struct.json_encode().str.strip_prefix('{"x":').str.strip_suffix("}")
    else:
        text = pl.concat_str([pl.lit('"'), column, pl.lit('"')])
    return text.fill_null("null") if values.null_count() else text


_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'


def _in_time(event: RecentEvent) -> tuple[int, int, int, int]:
    return event.occurred_at, event.log_partition, event.log_offset, event.log_index
