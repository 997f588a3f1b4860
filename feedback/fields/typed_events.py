"""Typed events: one record converted to the contract's types, or the first violation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from feedback.contract import CONTEXT_ID_FIELDS, ID_FIELDS, KINDS, Context, Event
from feedback.errors import Code
from feedback.fields.attributes import add_unknown, sorted_keys
from feedback.fields.raw_ids import id_text
from feedback.verdicts import Rejected

_CONTEXT_FIELDS = frozenset(Context.__struct_fields__)
_FIELDS = {kind: frozenset(struct.__struct_fields__) for kind, struct in KINDS.items()}
_NESTED = frozenset({"context", "traits", "attributes"})
_VALIDATION_PATH = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(.*?)`")


class TypedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in the contract's types, with its attributes as earlier releases encoded them where that differs."""

    kind: str
    event: Event
    former_attributes: dict[str, Any] | None = None


def typed_event(fields: dict[str, Any]) -> TypedEvent | Rejected:
    """Check kind and types; modifies `fields`. Unknown fields move to `attributes`."""
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        detail = "`kind` is missing" if kind is None else f"unknown kind {str(kind)[:64]!r}"
        return Rejected(Code.UNKNOWN_KIND, f"{detail}; the contract knows {', '.join(KINDS)}", "kind", id_of(fields))
    former_attributes = _move_unknown(kind, fields)
    _ids_as_text(kind, fields)
    try:
        return TypedEvent(kind, msgspec.convert(fields, KINDS[kind]), former_attributes)
    except msgspec.ValidationError as error:
        return _rejection(str(error), id_of(fields))


def id_of(fields: Mapping[str, Any]) -> str | None:
    """The id that a record states, if it can be read."""
    event_id = fields.get("id")
    return event_id[:128] if isinstance(event_id, str) else None


def _ids_as_text(kind: str, fields: dict[str, Any]) -> None:
    """Ids that came as whole numbers become their text."""
    for name in ID_FIELDS[kind]:
        if name in fields and type(fields[name]) is not str:
            fields[name] = id_text(fields[name])
    context = fields.get("context")
    if isinstance(context, dict):
        numbers = {name: id_text(context[name]) for name in CONTEXT_ID_FIELDS if name in context}
        fields["context"] = {**context, **numbers} if numbers else context


def _move_unknown(kind: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Move what the contract does not know to `attributes`, with the keys of its objects in order.

    Returns the attributes as earlier releases had them, where they (or a profile's traits) are another text now.
    """
    unknown = fields.keys() - _FIELDS[kind]
    if not unknown and fields.keys().isdisjoint(_NESTED):
        return None
    context, traits = fields.get("context"), fields.get("traits")
    stray = context.keys() - _CONTEXT_FIELDS if isinstance(context, dict) else frozenset()
    given = fields.get("attributes") or {}
    if not isinstance(given, dict) or not (unknown or stray or given or traits):
        return None
    moved = {name: fields.pop(name) for name in sorted(unknown)}
    if stray and isinstance(context, dict):
        moved["context"] = {name: context[name] for name in sorted(stray)}
        fields["context"] = {name: value for name, value in context.items() if name not in stray}
    attributes = sorted_keys(given)
    add_unknown(attributes, {name: sorted_keys(value) for name, value in moved.items()})
    fields["attributes"] = attributes
    former = {**given, **moved}
    same = _same_text(former, attributes) and (not isinstance(traits, dict) or _same_text(traits, sorted_keys(traits)))
    return None if same else former


def _same_text(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def _rejection(message: str, event_id: str | None) -> Rejected:
    """Name the code and the field of a validation error."""
    path = _VALIDATION_PATH.search(message)
    field = path.group(1) if path else None
    missing = _MISSING.search(message)
    if missing:
        name = f"{field}.{missing.group(1)}" if field else missing.group(1)
        return Rejected(Code.MISSING_FIELD, f"`{name}` is missing", name, event_id)
    detail = _VALIDATION_PATH.sub("", message)
    if field == "occurred_at":
        return Rejected(Code.BAD_TIME, detail, field, event_id)
    ranged = ("<=", ">=", "< ", "> ")
    numeric = "`int`" in message or "`float`" in message
    code = Code.OUT_OF_RANGE if numeric and any(word in message for word in ranged) else Code.INVALID_FIELD
    return Rejected(code, detail, field, event_id)
