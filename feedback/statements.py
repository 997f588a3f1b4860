"""Statements: events of which only the latest about a thing counts, such as a rating of an item or a consent.

The contract declares them (`Event.statement_about`). One that is sent without id and time is a repeat only of the
latest statement about the same thing: like, dislike, like are three events, and sending the last once more is none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from feedback.admitted import COLUMN_OF_FIELD, AdmittedEvent
from feedback.contract import STATEMENTS, Event

_ITEM = ("item_id",)
COLUMNS = frozenset(AdmittedEvent.__struct_fields__)


def topic_of(owner: str, kind: str, event: Event) -> str:
    """What a statement is about, as one text: its kind, its owner, and the fields that the contract names for it."""
    names = STATEMENTS[kind]
    if names == _ITEM:
        return f"{kind}\0{owner}\0{event.item_id or ''}"
    return "\0".join([kind, owner, *(getattr(event, name) or "" for name in names)])


def topic_of_columns(owner: str, columns: dict[str, Any]) -> str | None:
    """The same of an admitted event (its columns by name); `None` where its kind is no statement."""
    fields = STATEMENTS.get(columns["kind"])
    if fields is None:
        return None
    payload = msgspec.json.decode(columns.get("payload") or "{}")
    values = (_value(columns, payload, COLUMN_OF_FIELD.get(name, name)) for name in fields)
    return "\0".join([columns["kind"], owner, *values])


def _value(columns: dict[str, Any], payload: dict[str, Any], column: str) -> str:
    return str((columns if column in COLUMNS else payload).get(column) or "")
