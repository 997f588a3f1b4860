"""Consent and links between subjects in the online store's SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from feedback.consent import Standing
from feedback.links import Link
from online.backend import Changes
from online.statements import Owner
from online.store import BEFORE_PLACES

SCHEMA = """
CREATE TABLE IF NOT EXISTS consents (
    subject TEXT NOT NULL, log_partition INTEGER NOT NULL, log_offset INTEGER NOT NULL, log_index INTEGER NOT NULL,
    denied_at INTEGER, granted_at INTEGER, PRIMARY KEY (subject, log_partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    subject TEXT NOT NULL, anonymous TEXT NOT NULL, received_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, anonymous)
) WITHOUT ROWID;
"""

_STANDING = "SELECT log_offset, log_index, denied_at, granted_at FROM consents WHERE subject = ?"
_OWN_STANDING = f"{_STANDING} AND log_partition = ?"
_KEEP = "INSERT OR REPLACE INTO consents VALUES (?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM consents WHERE subject = ? AND log_partition = ?"
_VISITS = "SELECT anonymous FROM links WHERE subject = ?1 AND anonymous <> ?1 LIMIT ?2"
_CLAIMANTS = """
SELECT subject FROM links WHERE anonymous = ?1 AND subject <> ?1 ORDER BY received_at, subject LIMIT ?2"""
_BY_CLAIM = "CREATE INDEX IF NOT EXISTS links_by_claim ON links (anonymous, received_at)"
"""In the order in which claims are asked for: a visit may have any number of them."""
_LINK = """
INSERT INTO links (subject, anonymous, received_at) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE
SET received_at = CASE received_at WHEN 0 THEN excluded.received_at ELSE min(received_at, excluded.received_at) END"""
"""A link of a release that kept no time takes the first one that is told."""
_TAKE_OVER = f"""
INSERT OR IGNORE INTO consents SELECT subject, {BEFORE_PLACES}, 0, 0, occurred_at, NULL FROM consent
WHERE personalization = 0"""

_OWE = "CREATE TABLE IF NOT EXISTS consents_owed (owed INTEGER)"


def adopt_former(connection: sqlite3.Connection) -> None:
    """Bring the tables of earlier releases up to this one.

    The first release kept consent by the sender's time, one row per subject. Its denials are taken over; a grant
    needs no row. Later ones kept links without a time, which count as the earliest meanwhile. What the sender's clock
    decided wrongly, and times of links, are taken from the lake, until when the table `consents_owed` stands.
    """
    if _has_table(connection, "consent") or not _links_have_times(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not _links_have_times(connection):  # else another process was quicker
                connection.execute("ALTER TABLE links ADD COLUMN received_at INTEGER NOT NULL DEFAULT 0")
                if connection.execute("SELECT 1 FROM links LIMIT 1").fetchone():
                    connection.execute(_OWE)
            if _has_table(connection, "consent"):
                connection.execute(_TAKE_OVER)
                connection.execute("DROP TABLE consent")
                connection.execute(_OWE)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    connection.execute(_BY_CLAIM)
    connection.execute("DROP INDEX IF EXISTS links_by_anonymous")


def owes_consents(connection: sqlite3.Connection) -> bool:
    """Whether consent or links come from an earlier release's tables and were not stated anew since."""
    return _has_table(connection, "consents_owed")


def write(connection: sqlite3.Connection, changes: Changes) -> None:
    """Write what changes say of people, in an open transaction."""
    connection.executemany(_FORGET, changes.forgotten)
    connection.executemany(
        _KEEP, [(*owner, *held.through, held.denied_at, held.granted_at) for owner, held in changes.standings.items()]
    )
    connection.executemany(_LINK, changes.links)
    if changes.settles_consents:
        connection.execute("DROP TABLE IF EXISTS consents_owed")


def standings(connection: sqlite3.Connection, owners: Iterable[Owner]) -> dict[Owner, Standing]:
    """The standings of these owners that are there."""
    found = ((owner, connection.execute(_OWN_STANDING, owner).fetchone()) for owner in owners)
    return {owner: _standing(row) for owner, row in found if row is not None}


def standings_of(connection: sqlite3.Connection, subjects: Iterable[str]) -> list[Standing]:
    """All standings of these subjects."""
    return [_standing(row) for subject in subjects for row in connection.execute(_STANDING, (subject,))]


def visits_of(connection: sqlite3.Connection, subject: str, *, at_most: int) -> list[str]:
    """The visits that a subject claims."""
    return [visit for (visit,) in connection.execute(_VISITS, (subject, at_most))]


def claimants_of(connection: sqlite3.Connection, anonymous: str, *, at_most: int) -> list[str]:
    """Who claims it, the earliest first."""
    return [who for (who,) in connection.execute(_CLAIMANTS, (anonymous, at_most))]


def links(connection: sqlite3.Connection) -> list[Link]:
    """All links."""
    return [Link(*row) for row in connection.execute("SELECT subject, anonymous, received_at FROM links")]


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _links_have_times(connection: sqlite3.Connection) -> bool:
    return any(row[1] == "received_at" for row in connection.execute("PRAGMA table_info(links)"))


def _standing(row: tuple[int, int, int | None, int | None]) -> Standing:
    offset, index, denied_at, granted_at = row
    return Standing((offset, index), denied_at, granted_at)
