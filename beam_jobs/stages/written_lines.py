"""Redact the free text in a line of the log: by field where it is JSON, else everything but recognisable ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from feedback.admitted import COLUMN_OF_FIELD, AdmittedEvent
from feedback.contract import ID_FIELDS, KINDS, WRITTEN_FIELDS, Item
from feedback.fields.payloads import payload_fields
from lakehouse.landed.quarantine import MAX_RAW_BYTES
from text.redactor import Redactor

_COLUMNS = frozenset(AdmittedEvent.__struct_fields__)
_TEXT, _PAYLOAD, _ATTRIBUTES = "text", "payload", "attributes"

CATALOGUE = str(Item.__struct_config__.tag)
"""The kind of catalogue entries, which hold what a shop wrote about an item."""

Limits = Mapping[str, int | None]
"""By name of a field, how many characters it may have."""


class Members(NamedTuple):
    """What is redacted in an object: every member but those that stay."""

    limits: Limits
    stay: frozenset[str]


ALL_MEMBERS = Members({}, frozenset())


def _members_of_payload(kind: str) -> Members:
    """What people write in the payload of a kind, and what a later contract may add to it."""
    limits = {name: most for name, most in WRITTEN_FIELDS[kind].items() if name in payload_fields(kind)}
    return Members(limits, payload_fields(kind) - limits.keys())


IN_PAYLOAD: dict[str, Members] = {kind: _members_of_payload(kind) for kind in KINDS}
"""Per kind, what is redacted in its `payload`."""

LONGEST_TEXT: dict[str, int] = {
    kind: most
    for kind, fields in WRITTEN_FIELDS.items()
    for name, most in fields.items()
    if most is not None and COLUMN_OF_FIELD.get(name, name) == _TEXT
}
"""Per kind that has one, how many characters its `text` may have."""

_IDS = sorted({"subject", "source", "kind", *(name for names in ID_FIELDS.values() for name in names)})
_ID_MEMBER = re.compile(rf'(?<!\\)(\\*+"(?:{"|".join(_IDS)})\\*+"\s*+:\s*+\\*+"[^"\\]*+(?:\\*+"|\Z))')
"""A member of an object that holds an id, also in a JSON text within JSON."""
_CATALOGUE_ENTRY = re.compile(rf'"kind"\s*:\s*"{CATALOGUE}"')


def redact_line(line: str, redactor: Redactor) -> str:
    """A line of the log without personal data in what people wrote; a catalogue entry as it is.

    The lines of a record that was refused as a whole are redacted each by itself. What was cut at the largest size
    stays as long as that, for this is how it is known to be cut.
    """
    before = redactor.counts.total()
    redacted = "\n".join(_redact_one(one, redactor) for one in line.split("\n"))
    if redactor.counts.total() == before:
        return line
    size, cut = len(redacted.encode()), len(line.encode()) >= MAX_RAW_BYTES
    return redacted + " " * (MAX_RAW_BYTES - size) if cut and size < MAX_RAW_BYTES else redacted


def redact_object(value: dict[str, Any], redactor: Redactor, members: Members = ALL_MEMBERS) -> dict[str, Any]:
    """An object whose members are redacted; objects and lists within are changed in place."""
    return {
        name: member if name in members.stay else redactor.value(member, name=name, at_most=members.limits.get(name))
        for name, member in value.items()
    }


def _redact_one(line: str, redactor: Redactor) -> str:
    event = _object(line)
    if event is None:
        return line if _CATALOGUE_ENTRY.search(line) else _redact_pieces(line, redactor)
    before = redactor.counts.total()
    redacted = _redact_event(event, redactor)
    return line if redactor.counts.total() == before else _written(redacted)


def _redact_event(event: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """An admitted event, or what somebody wrote in its place: unknown fields are redacted as attributes are."""
    kind = event.get("kind")
    if kind == CATALOGUE:
        return event
    known = kind if isinstance(kind, str) else ""
    return {name: _redact_member(name, member, known, redactor) for name, member in event.items()}


def _redact_member(name: str, member: Any, kind: str, redactor: Redactor) -> Any:  # noqa: ANN401 - any JSON
    if name in (_PAYLOAD, _ATTRIBUTES):
        return _redact_document(
            member, redactor, IN_PAYLOAD.get(kind, ALL_MEMBERS) if name == _PAYLOAD else ALL_MEMBERS
        )
    if name == _TEXT:
        return redactor.value(member, at_most=LONGEST_TEXT.get(kind))
    return member if name in _COLUMNS else redactor.value(member, name=name)


def _redact_document(member: Any, redactor: Redactor, members: Members) -> Any:  # noqa: ANN401 - any JSON
    """An object, as it is or as a text of JSON; any other text is redacted as one."""
    if isinstance(member, dict):
        return redact_object(member, redactor, members)
    if not isinstance(member, str):
        return redactor.value(member)
    inner = _object(member)
    if inner is None:
        return redactor.text(member)
    before = redactor.counts.total()
    redacted = _written(redact_object(inner, redactor, members))
    return redacted if redactor.counts.total() > before else member


def _redact_pieces(line: str, redactor: Redactor) -> str:
    """A line that cannot be read, without its ids' members, piece by piece."""
    return "".join(piece if number % 2 else redactor.text(piece) for number, piece in enumerate(_ID_MEMBER.split(line)))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _written(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
