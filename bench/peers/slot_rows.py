"""The layout of earlier online stores: a row per commit for all who share three hexadecimal characters, as JSON.

A read decodes everybody's events of its slot. It has no consent, links or positions to keep, so it is a little quicker
at writing than the store that it stood in.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl

from online.events import RecentEvent, online_rows
from online.sqlite.file import connect, transaction

SLOT_CHARACTERS = 3
EVENTS_AT_ONCE = 50_000
_SCHEMA = """
PRAGMA cache_size = -32768;
CREATE TABLE IF NOT EXISTS slots (slot TEXT NOT NULL, events TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS slots_by_slot ON slots (slot);
"""
_COLUMNS = ("subject", *RecentEvent.__struct_fields__)
_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'
_DECODER = msgspec.json.Decoder(list[tuple[str, RecentEvent]])


class SlotRows:
    """One SQLite file in that layout."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._connection = connect(self._path, _SCHEMA)

    def push(self, events: pl.DataFrame) -> None:
        """Add one commit's rows."""
        slots = pl.concat([_events(part) for part in online_rows(events).iter_slices(EVENTS_AT_ONCE)])
        rows = slots.group_by("slot", maintain_order=True).agg(pl.col("events").str.join(",")).rows()
        with transaction(self._connection, self._path):
            self._connection.executemany("INSERT INTO slots VALUES (?, ?)", rows)

    def recent(self, subject: str) -> list[RecentEvent]:
        """A person's events, oldest first."""
        query = "SELECT events FROM slots WHERE slot = ? ORDER BY rowid"
        rows = self._connection.execute(query, (subject[:SLOT_CHARACTERS],))
        found = [event for (text,) in rows for owner, event in _DECODER.decode(f"[{text}]") if owner == subject]
        return sorted(found, key=lambda event: event.occurred_at)

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()


def _events(rows: pl.DataFrame) -> pl.DataFrame:
    owner, *members = (_json_of(rows[name]) for name in _COLUMNS)
    event = pl.concat_str(pl.lit("["), owner, pl.lit(",["), pl.concat_str(members, separator=","), pl.lit("]]"))
    return rows.select(pl.col("subject").str.slice(0, SLOT_CHARACTERS).alias("slot"), event.alias("events"))


def _json_of(values: pl.Series) -> pl.Expr:
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
