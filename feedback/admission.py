"""Admission: one raw record in, an admitted event or a reason out; never raises on what it is given."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from feedback.admitted import COLUMN_OF_FIELD, AdmittedEvent, derived_id, identity_key, owner_of
from feedback.bounds import DEFAULT_MAX_FUTURE, EARLIEST_US, LATEST_US, microseconds
from feedback.contract import (
    KINDS,
    SURVEY_SCALES,
    Consent,
    Context,
    Event,
    Identify,
    Survey,
)
from feedback.errors import Code
from feedback.subjects import Pseudonyms
from feedback.verdicts import Rejected

DEFAULT_MAX_EVENT_BYTES = 256 * 1024

_CONTEXT_FIELDS = frozenset(Context.__struct_fields__)
_ADMITTED_FIELDS = frozenset(AdmittedEvent.__struct_fields__)
_COMMON_FIELDS = frozenset(Event.__struct_fields__)
_FIELDS = {kind: frozenset(struct.__struct_fields__) for kind, struct in KINDS.items()}
_OWN_FIELDS = {
    kind: tuple(name for name in struct.__struct_fields__ if name not in _COMMON_FIELDS)
    for kind, struct in KINDS.items()
}
_ID_FIELDS = ("id", "user_id", "anonymous_id", "item_id")
_VALIDATION_PATH = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(.*?)`")


class Admitted(msgspec.Struct, frozen=True):
    """An event that passed: its line for the log, the key of its identity and its owner (partition key)."""

    id: str
    owner: str
    key: bytes
    line: bytes


class Admission:
    """The contract, the pseudonyms and the limits that a record must pass."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        *,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        max_future: timedelta = DEFAULT_MAX_FUTURE,
    ) -> None:
        self._pseudonyms = pseudonyms
        self._max_event_bytes = max_event_bytes
        self._max_future = max_future
        self._encode = msgspec.json.Encoder().encode

    def admit(self, raw: bytes | Mapping[str, Any], now: datetime) -> Admitted | Rejected:
        """Check one record (JSON bytes or its fields) against the contract at the time `now`."""
        if isinstance(raw, bytes) and len(raw) > self._max_event_bytes:
            return self._too_large(len(raw))
        try:
            fields = msgspec.json.decode(raw) if isinstance(raw, bytes) else dict(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejected(Code.NOT_JSON, str(error) or "nested too deeply")
        if not isinstance(fields, dict):
            return Rejected(Code.NOT_AN_OBJECT, f"expected a JSON object, got {type(fields).__name__}")
        try:
            return self._admit_fields(fields, now)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:  # only fields that never were JSON
            return Rejected(Code.INVALID_FIELD, f"a value cannot be written as JSON: {error}", None, _id_of(fields))

    def _admit_fields(self, fields: dict[str, Any], now: datetime) -> Admitted | Rejected:
        if "specversion" in fields:
            opened = open_cloud_event(fields)
            if isinstance(opened, Rejected):
                return opened
            fields = opened
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            detail = "`kind` is missing" if kind is None else f"unknown kind {str(kind)[:64]!r}"
            return Rejected(
                Code.UNKNOWN_KIND, f"{detail}; the contract knows {', '.join(KINDS)}", "kind", _id_of(fields)
            )
        event = _typed(kind, fields)
        if isinstance(event, Rejected):
            return event
        reason = self._objection(event, now)
        return reason or self._admitted(kind, event, now)

    def _objection(self, event: Event, now: datetime) -> Rejected | None:
        """The first rule beyond types that an event breaks, if any."""
        event_id = event.id if isinstance(event.id, str) else None
        if event.needs_subject and event.user_id is None and event.anonymous_id is None:
            return Rejected(Code.NO_SUBJECT, "`user_id` or `anonymous_id` is needed", "user_id", event_id)
        if event.consent is not None and "feedback" not in event.consent and not isinstance(event, Consent):
            detail = f"`consent` lists {event.consent or 'nothing'}, without feedback"
            return Rejected(Code.CONSENT_MISSING, detail, "consent", event_id)
        if isinstance(event.occurred_at, datetime) and event.occurred_at - now > self._max_future:
            detail = f"{event.occurred_at.isoformat()} is after {now.isoformat(timespec='seconds')}"
            return Rejected(Code.IN_THE_FUTURE, detail, "occurred_at", event_id)
        if isinstance(event.occurred_at, datetime) and not (
            EARLIEST_US <= microseconds(event.occurred_at) <= LATEST_US
        ):
            detail = f"{event.occurred_at.isoformat()} lies outside the years 1 to 9999 in UTC"
            return Rejected(Code.BAD_TIME, detail, "occurred_at", event_id)
        return _value_objection(event, event_id)

    def _admitted(self, kind: str, event: Event, now: datetime) -> Admitted | Rejected:
        columns, payload = _columns_and_payload(kind, event)
        subject = self._subject(event)
        if isinstance(event, Identify):
            payload["anonymous_subject"] = self._pseudonyms.subject_of(event.anonymous_id, "anonymous")
        received_at = microseconds(now)
        occurred_at = microseconds(event.occurred_at) if isinstance(event.occurred_at, datetime) else None
        core: dict[str, Any] = {
            "v": event.v,
            "kind": kind,
            "subject": subject,
            "item_id": event.item_id,
            "source": event.source,
            "decision_id": event.decision_id,
            "consent": event.consent,
            "payload": self._encode(payload).decode() if payload else None,
            "attributes": self._encode(event.attributes).decode() if event.attributes else None,
            **columns,
        }
        event_id = event.id if isinstance(event.id, str) else derived_id({**core, "occurred_at": occurred_at})
        admitted = AdmittedEvent(
            id=event_id,
            occurred_at=received_at if occurred_at is None else occurred_at,
            received_at=received_at,
            **core,
        )
        line = self._encode(admitted)
        if len(line) > self._max_event_bytes:
            return self._too_large(len(line), event_id)
        owner = owner_of(subject, event.item_id)
        return Admitted(event_id, owner, identity_key(owner, event_id), line)

    def _subject(self, event: Event) -> str | None:
        if not event.needs_subject:
            return None
        if event.user_id is not None:
            return self._pseudonyms.subject_of(event.user_id)
        return self._pseudonyms.subject_of(event.anonymous_id or "", "anonymous")

    def _too_large(self, size: int, event_id: str | None = None) -> Rejected:
        return Rejected(Code.TOO_LARGE, f"{size:,} bytes, the limit is {self._max_event_bytes:,}", None, event_id)


def open_cloud_event(envelope: dict[str, Any]) -> dict[str, Any] | Rejected:
    """Take the event out of a CloudEvents 1.0 envelope in structured JSON mode.

    The envelope's `id` and `time` fill in where the data has none; `type` names the kind (`heed.rating` or
    `rating`) where the data does not; `source` becomes the source.
    """
    for name in ("specversion", "id", "source", "type"):
        if not isinstance(envelope.get(name), str) or not envelope[name]:
            return Rejected(Code.BAD_ENVELOPE, f"CloudEvents attribute `{name}` is missing or not text", name)
    if envelope["specversion"] != "1.0":
        detail = f"specversion {envelope['specversion'][:16]!r} is not 1.0"
        return Rejected(Code.BAD_ENVELOPE, detail, "specversion")
    data = envelope.get("data")
    if not isinstance(data, dict):
        return Rejected(Code.BAD_ENVELOPE, "`data` must be the event as a JSON object", "data", envelope["id"][:128])
    fields = dict(data)
    fields.setdefault("id", envelope["id"])
    fields.setdefault("source", envelope["source"])
    fields.setdefault("kind", envelope["type"].rsplit(".", 1)[-1])
    if "time" in envelope:
        fields.setdefault("occurred_at", envelope["time"])
    return fields


def _id_of(fields: Mapping[str, Any]) -> str | None:
    event_id = fields.get("id")
    return event_id[:128] if isinstance(event_id, str) else None


def _typed(kind: str, fields: dict[str, Any]) -> Event | Rejected:
    """Check the types; move what the contract does not know to `attributes`."""
    unknown = fields.keys() - _FIELDS[kind]
    context = fields.get("context")
    stray = context.keys() - _CONTEXT_FIELDS if isinstance(context, dict) else frozenset()
    if unknown or stray:
        attributes = fields.get("attributes") or {}
        if isinstance(attributes, dict):
            attributes = {**attributes, **{name: fields.pop(name) for name in sorted(unknown)}}
            if stray and isinstance(context, dict):
                attributes["context"] = {name: context[name] for name in sorted(stray)}
                fields["context"] = {name: value for name, value in context.items() if name not in stray}
            fields["attributes"] = attributes
    for name in _ID_FIELDS:  # ids are often numbers at the sender; a number has one text form
        if type(fields.get(name)) is int:
            fields[name] = str(fields[name])
    try:
        return msgspec.convert(fields, KINDS[kind])
    except msgspec.ValidationError as error:
        return _rejection(str(error), _id_of(fields))


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
    code = Code.OUT_OF_RANGE if numeric and any(sign in message for sign in ranged) else Code.INVALID_FIELD
    return Rejected(code, detail, field, event_id)


def _value_objection(event: Event, event_id: str | None) -> Rejected | None:
    value, scale = getattr(event, "value", None), getattr(event, "scale", None)
    if isinstance(event, Survey):
        if event.metric in SURVEY_SCALES and value is None:
            return Rejected(Code.MISSING_FIELD, f"a {event.metric} answer needs `value`", "value", event_id)
        if event.metric == "choice" and not event.choices:
            return Rejected(Code.MISSING_FIELD, "a choice answer needs `choices`", "choices", event_id)
        if event.metric == "text" and event.text is None:
            return Rejected(Code.MISSING_FIELD, "an open answer needs `text`", "text", event_id)
        scale = _survey_scale(event)
    if scale is not None and not (scale[0] < scale[1] and math.isfinite(scale[1] - scale[0])):
        return Rejected(Code.OUT_OF_RANGE, f"scale {list(scale)} must run from low to high", "scale", event_id)
    if value is None:
        return None
    if scale is None:
        return Rejected(Code.MISSING_FIELD, "a `value` needs its `scale`, like [1, 5]", "scale", event_id)
    if not scale[0] <= value <= scale[1]:
        return Rejected(Code.OUT_OF_RANGE, f"{value:g} is not within {scale[0]:g} to {scale[1]:g}", "value", event_id)
    return None


def _survey_scale(event: Survey) -> tuple[float, float] | None:
    if event.metric == "nps":
        return SURVEY_SCALES["nps"]
    return event.scale or SURVEY_SCALES.get(event.metric)


def _columns_and_payload(kind: str, event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spread the kind's own fields and the context over columns; the rest is payload."""
    columns: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    for name in _OWN_FIELDS[kind]:
        value = getattr(event, name)
        if value is None or value == [] or value == {}:
            continue
        column = COLUMN_OF_FIELD.get(name, name)
        if name == "scale":
            columns["scale_min"], columns["scale_max"] = value
        elif column in _ADMITTED_FIELDS:
            columns[column] = value
        else:
            payload[name] = value
    if isinstance(event, Survey) and event.value is not None:
        columns["scale_min"], columns["scale_max"] = _survey_scale(event) or (None, None)
    for name in Context.__struct_fields__:
        value = getattr(event.context, name)
        if value is not None:
            columns[name] = value
    return columns, payload
