"""Consent and links between subjects in the online store's SQLite file."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from feedback.consent import (
    NOTHING_STATED,
    PERSONALIZATION,
    Standing,
    Statement,
    after,
    is_granted,
    payload_object,
    statement_about,
)

LOGGER = logging.getLogger("heed.online")

BEFORE_PLACES = -1
"""Log partition of a denial that a store of an earlier release kept without its place in the log."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS consents (
    subject TEXT NOT NULL, log_partition INTEGER NOT NULL, log_offset INTEGER NOT NULL, log_index INTEGER NOT NULL,
    denied_at INTEGER, granted_at INTEGER, PRIMARY KEY (subject, log_partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    subject TEXT NOT NULL, anonymous TEXT NOT NULL, PRIMARY KEY (subject, anonymous)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_anonymous ON links (anonymous);
"""

_STANDINGS = "SELECT log_offset, log_index, denied_at, granted_at FROM consents WHERE subject = ?"
_LINKED = "SELECT anonymous FROM links WHERE subject = ?"
_OWNERS = "SELECT subject FROM links WHERE anonymous = ?"

_KEEP = "INSERT OR REPLACE INTO consents VALUES (?, ?, ?, ?, ?, ?)"

_TAKE_OVER = f"""
INSERT OR IGNORE INTO consents SELECT subject, {BEFORE_PLACES}, 0, 0, occurred_at, NULL FROM consent
WHERE personalization = 0"""


class Owner(NamedTuple):
    """Whose statements a standing counts: a subject, in one log partition."""

    subject: str
    log_partition: int


def adopt_former(connection: sqlite3.Connection) -> None:
    """Take over the denials of an earlier release's table, which kept one row per subject and the sender's time.

    A grant of that table needs no row: nobody is denied without one. What the sender's clock decided wrongly is
    mended from the lake afterwards (`restate`), until when the table `consents_owed` stands.
    """
    is_there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'consent'"
    if connection.execute(is_there).fetchone() is None:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute(is_there).fetchone() is not None:  # else another process was quicker
            connection.execute(_TAKE_OVER)
            connection.execute("DROP TABLE consent")
            connection.execute("CREATE TABLE consents_owed (owed INTEGER)")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def owes_consents(connection: sqlite3.Connection) -> bool:
    """Whether consent comes from an earlier release's table and was not stated anew since."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'consents_owed'")
    return found.fetchone() is not None


def restate(connection: sqlite3.Connection, statements: Mapping[Owner, Iterable[Statement]]) -> None:
    """State consent anew from all statements that were pushed, in an open transaction.

    A denial of the earlier release of which the lake knows nothing stays.
    """
    for owner in statements:
        connection.execute("DELETE FROM consents WHERE subject = ? AND log_partition = ?", owner)
        connection.execute(
            "DELETE FROM consents WHERE subject = ? AND log_partition = ?", (owner.subject, BEFORE_PLACES)
        )
    keep_statements(connection, statements)
    connection.execute("DROP TABLE IF EXISTS consents_owed")


def keep_statements(connection: sqlite3.Connection, statements: Mapping[Owner, Iterable[Statement]]) -> None:
    """Count statements, in the order of the log, in an open transaction."""
    for owner, stated in statements.items():
        row = connection.execute(
            "SELECT log_offset, log_index, denied_at, granted_at FROM consents WHERE subject = ? AND log_partition = ?",
            owner,
        ).fetchone()
        before = standing = NOTHING_STATED if row is None else _standing(row)
        for statement in stated:
            standing = after(standing, statement)
        if standing != before:
            connection.execute(_KEEP, (*owner, *standing.through, standing.denied_at, standing.granted_at))


def is_personal(connection: sqlite3.Connection, subject: str) -> bool:
    """Whether neither a subject nor those linked with it have withdrawn personalization.

    Linked are its anonymous visits and former pseudonyms, and whoever it is one of.
    """
    group = {*linked_with(connection, subject), *_reached(connection, subject, _OWNERS)}
    return is_granted(_standing(row) for who in group for row in connection.execute(_STANDINGS, (who,)))


def linked_with(connection: sqlite3.Connection, subject: str) -> list[str]:
    """A subject itself, its anonymous visits, and the pseudonyms that it had before, with theirs."""
    return _reached(connection, subject, _LINKED)


def _reached(connection: sqlite3.Connection, subject: str, query: str) -> list[str]:
    """Subjects that links lead to, the first one included. Step by step: most have none, and a query costs 3 µs."""
    found = {subject: None}
    waiting = [subject]
    while waiting:
        for (other,) in connection.execute(query, (waiting.pop(),)).fetchall():
            if other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)


def statements_of(events: pl.DataFrame) -> dict[Owner, list[Statement]]:
    """What consent events say about personalization, each subject's in the order of the log.

    A receipt is believed within the day on which the log took the record: a producer that writes to the log by itself
    may state any.
    """
    day = pl.col("landed_on").cast(pl.Datetime("us", "UTC"))
    rows = (
        events.filter((pl.col("kind") == "consent") & pl.col("subject").is_not_null())
        .sort("log_partition", "log_offset", "log_index")
        .select(
            "subject",
            "log_partition",
            "log_offset",
            "log_index",
            "payload",
            pl.col("received_at").clip(day, day.dt.offset_by("1d")).dt.epoch("us"),
            pl.col("occurred_at").dt.epoch("us"),
        )
    )
    found: dict[Owner, list[Statement]] = {}
    odd: list[tuple[int, int, int]] = []
    for subject, partition, offset, index, payload, received_at, occurred_at in rows.iter_rows():
        stated = payload_object(payload)
        if stated is None:
            odd.append((partition, offset, index))
            continue
        granted = statement_about(PERSONALIZATION, stated)
        if granted is not None:
            statement = Statement((offset, index), granted, received_at, occurred_at)
            found.setdefault(Owner(subject, partition), []).append(statement)
    _tell_ignored("consent", odd)
    return found


def links_of(events: pl.DataFrame) -> list[tuple[str, str]]:
    """(subject, the anonymous visit or former pseudonym that is the same person) of identify events."""
    rows = events.filter((pl.col("kind") == "identify") & pl.col("subject").is_not_null()).select(
        "subject", "payload", "log_partition", "log_offset", "log_index"
    )
    found: list[tuple[str, str]] = []
    odd: list[tuple[int, int, int]] = []
    for subject, payload, *place in rows.iter_rows():
        anonymous = (payload_object(payload) or {}).get("anonymous_subject")
        if isinstance(anonymous, str) and anonymous:
            found.append((subject, anonymous))
        else:
            odd.append((place[0], place[1], place[2]))
    _tell_ignored("identify", odd)
    return found


def _tell_ignored(kind: str, places: list[tuple[int, int, int]]) -> None:
    """Rows of an older release may hold any payload."""
    if places:
        LOGGER.warning(
            "%d events of kind %s have no usable payload and are ignored; the first is at partition %d, offset %d, "
            "index %d",
            len(places),
            kind,
            *places[0],
        )


def _standing(row: tuple[int, int, int | None, int | None]) -> Standing:
    offset, index, denied_at, granted_at = row
    return Standing((offset, index), denied_at, granted_at)
