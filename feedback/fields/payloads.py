"""Payloads: the JSON text beside an event's columns, typed by the contract.

`payload` holds the fields of a kind that have no column of their own. Its structs are made from the contract's, so
there is no second list of fields. A later contract may add fields to a payload; those are let through unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from feedback.admitted import COLUMN_OF_FIELD, AdmittedEvent
from feedback.contract import KINDS, Event, Survey
from feedback.subjects import SUBJECT_LENGTH

Pseudonym = Annotated[str, Meta(pattern=f"^[0-9a-f]{{{SUBJECT_LENGTH}}}$", description="a pseudonym")]

_COLUMNS = frozenset(AdmittedEvent.__struct_fields__)
_COMMON = frozenset(Event.__struct_fields__)
_SURVEY = str(Survey.__struct_config__.tag)
_SCALE = "scale"
"""The contract's field that is stored as two columns."""
_OF_GATEWAY: Mapping[str, tuple[tuple[str, Any], ...]] = {"identify": (("anonymous_subject", Pseudonym),)}
"""Fields that the gateway writes in place of a raw id; senders cannot set them."""

_PATH = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(.*?)`")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


@cache
def payload_struct(kind: str) -> type[msgspec.Struct]:
    """The struct of one kind's payload; without fields where all of the kind's fields have columns."""
    fields: list[Any] = [*_OF_GATEWAY.get(kind, ())]
    for field in msgspec.structs.fields(KINDS[kind]):
        column = COLUMN_OF_FIELD.get(field.name, field.name)
        if field.name in _COMMON or field.name == _SCALE or column in _COLUMNS:
            continue
        if field.required:
            fields.append((field.name, field.type))
        elif field.default_factory is not msgspec.NODEFAULT:
            made = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, field.type, made))
        else:
            fields.append((field.name, field.type, msgspec.field(default=field.default)))
    return msgspec.defstruct(f"{kind}_payload", fields, kw_only=True, frozen=True)


@cache
def payload_fields(kind: str) -> frozenset[str]:
    """The names of the fields that a kind's payload may have."""
    return frozenset(payload_struct(kind).__struct_fields__)


@cache
def needs_payload(kind: str) -> bool:
    """Whether an event of this kind may break the contract without a payload."""
    return kind == _SURVEY or any(field.required for field in msgspec.structs.fields(payload_struct(kind)))


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(payload_struct(kind))


def payload_of(kind: str, payload: str | None) -> Any | None:  # noqa: ANN401 - a struct made at run time
    """A payload as its kind's struct; `None` where it breaks the contract, as rows of an older release may."""
    try:
        return _decoder(kind).decode("{}" if payload is None else payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def payload_objection(kind: str, payload: str | None, *, label: str | None = None) -> str | None:
    """Describe what is wrong with a payload, by field; `None` if it is valid.

    Args:
        kind: The event's.
        payload: As it stands beside the columns.
        label: The column `label`; the metric of a survey says whether it needs `choices`.
    """
    objection = _objection("payload", _decoder(kind), "{}" if payload is None else payload)
    if objection is None and kind == _SURVEY and label == "choice" and not payload_of(kind, payload).choices:  # type: ignore[union-attr]
        return "a choice answer needs `payload.choices`"
    return objection


def attributes_objection(attributes: str) -> str | None:
    """What is wrong with the text of `attributes`: it must be a JSON object; `None` if nothing is."""
    return _objection("attributes", _OBJECT, attributes)


def _objection(column: str, decoder: msgspec.json.Decoder[Any], text: str) -> str | None:
    try:
        decoder.decode(text)
    except msgspec.ValidationError as error:
        return _in_words(column, str(error))
    except (msgspec.DecodeError, UnicodeError) as error:
        return f"`{column}` is not valid JSON: {error}"
    except RecursionError:
        return f"`{column}` is nested too deeply"
    return None


def _in_words(column: str, message: str) -> str:
    """A validation error with the full name of its field."""
    path = _PATH.search(message)
    field = f"{column}.{path.group(1)}" if path and path.group(1) else column
    missing = _MISSING.search(message)
    if missing:
        return f"`{field}.{missing.group(1)}` is missing"
    return f"`{field}`: {_PATH.sub('', message)}"
