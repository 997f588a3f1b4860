"""Admission: check one raw record; the result is an admitted event or the reason of its refusal, never an exception."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from feedback.admitted import (
    COLUMN_OF_FIELD,
    AdmittedEvent,
    content_digest,
    derived_id,
    former_identity_key,
    identity_key,
    owner_of,
)
from feedback.bounds import EARLIEST_US, LATEST_US, microseconds
from feedback.cloud_events import open_cloud_event
from feedback.contract import CONTRACT_VERSION, KINDS, STATEMENTS, Consent, Context, Event, Identify, Survey
from feedback.errors import Code
from feedback.fields.attributes import sorted_keys
from feedback.fields.raw_ids import is_placeholder
from feedback.fields.scales import survey_scale, value_objection
from feedback.fields.typed_events import TypedEvent, id_of, typed_event
from feedback.log.port import Memo
from feedback.occurrences import Occurrences
from feedback.settings.landing import AdmissionSettings
from feedback.statements import topic_of
from feedback.subjects import ANONYMOUS, USER, Pseudonyms
from feedback.verdicts import Rejected

DEFAULT_RULES = AdmissionSettings()
IDENTIFY = str(Identify.__struct_config__.tag)
LINK_SOURCE = "heed"
LINK_PREFIX = "nfc-"
"""The source and id of events that the gateway adds itself, to link a pseudonym to the one it replaced."""

_ADMITTED_FIELDS = frozenset(AdmittedEvent.__struct_fields__)
_COMMON_FIELDS = frozenset(Event.__struct_fields__)
_OWN_FIELDS = {
    kind: tuple(name for name in struct.__struct_fields__ if name not in _COMMON_FIELDS)
    for kind, struct in KINDS.items()
}


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """An event that passed: its line for the log, and the keys by which the log recognises it.

    Attributes:
        id: The event's id.
        owner: Whose it is; chooses the partition.
        line: The event in its admitted form.
        memo: What the log remembers it by.
        former: Keys under which an earlier release may have remembered the same event.
        links: Events to append before this one: a person's new pseudonym linked to the old one.
    """

    id: str
    owner: str
    line: bytes
    memo: Memo
    former: tuple[bytes, ...] = ()
    links: tuple[Admitted, ...] = ()


def _drawn() -> str:
    return secrets.token_hex(8)


class Admission:
    """The contract, the pseudonyms and the limits that a record must pass."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        rules: AdmissionSettings = DEFAULT_RULES,
        *,
        draw: Callable[[], str] = _drawn,
    ) -> None:
        """Admission with these rules.

        Args:
            pseudonyms: Turn raw ids into subjects.
            rules: The bounds on size and time, and which ids are ids.
            draw: Makes a new short random text at each call; it tells undated events with equal content apart.
        """
        self._pseudonyms = pseudonyms
        self._max_event_bytes = rules.max_event_bytes
        self._max_future = rules.max_future
        self._accept_placeholder_ids = rules.accept_placeholder_ids
        self._draw = draw
        self._encode = msgspec.json.Encoder().encode

    def admit(
        self,
        raw: bytes | Mapping[str, Any],
        now: datetime,
        *,
        occurrences: Occurrences | None = None,
        keep_null_words: bool = False,
    ) -> Admitted | Rejected:
        """Check one record (JSON bytes or its fields) against the contract at the time `now`.

        With the `occurrences` of a file, an event without id and time is known by its content and how often that
        occurred in the file; without, each one counts. `keep_null_words` takes words like `null` for ids of persons.
        """
        if isinstance(raw, bytes) and len(raw) > self._max_event_bytes:
            return self._too_large(len(raw))
        try:
            fields = msgspec.json.decode(raw) if isinstance(raw, bytes) else dict(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejected(Code.NOT_JSON, str(error) or "nested too deeply")
        if not isinstance(fields, dict):
            return Rejected(Code.NOT_AN_OBJECT, f"expected a JSON object, got {type(fields).__name__}")
        try:
            return self._admit_fields(fields, now, occurrences, keep_null_words or self._accept_placeholder_ids)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:  # only fields that never were JSON
            return Rejected(Code.INVALID_FIELD, f"a value cannot be written as JSON: {error}", None, id_of(fields))

    def _admit_fields(
        self, fields: dict[str, Any], now: datetime, occurrences: Occurrences | None, null_words: bool
    ) -> Admitted | Rejected:
        if "specversion" in fields:
            opened = open_cloud_event(fields)
            if isinstance(opened, Rejected):
                return opened
            fields = opened
        typed = typed_event(fields)
        if isinstance(typed, Rejected):
            return typed
        reason = self._objection(typed.event, now, null_words=null_words)
        return reason or self._admitted(typed, now, occurrences)

    def _objection(self, event: Event, now: datetime, *, null_words: bool) -> Rejected | None:
        """The first rule beyond types that an event breaks, if any."""
        event_id = event.id if isinstance(event.id, str) else None
        if event.needs_subject:
            if event.user_id is None and event.anonymous_id is None:
                return Rejected(Code.NO_SUBJECT, "`user_id` or `anonymous_id` is needed", "user_id", event_id)
            if nobody := _nobody(event, null_words=null_words):
                name, detail = nobody
                return Rejected(Code.NO_SUBJECT, f"`{name}` {detail}", name, event_id)
        if event.consent is not None and "feedback" not in event.consent and not isinstance(event, Consent):
            detail = f"`consent` lists {event.consent or 'nothing'}, without feedback"
            return Rejected(Code.CONSENT_MISSING, detail, "consent", event_id)
        if (event.item_id or "").isspace() or (event_id or "").isspace():
            name = "item_id" if (event.item_id or "").isspace() else "id"
            return Rejected(Code.INVALID_FIELD, "it is blank; send an id, or leave it out", name, None)
        if isinstance(event.occurred_at, datetime):
            if event.occurred_at - now > self._max_future:
                detail = f"{event.occurred_at.isoformat()} is after {now.isoformat(timespec='seconds')}"
                return Rejected(Code.IN_THE_FUTURE, detail, "occurred_at", event_id)
            if not EARLIEST_US <= microseconds(event.occurred_at) <= LATEST_US:
                detail = f"{event.occurred_at.isoformat()} lies outside the years 1 to 9999 in UTC"
                return Rejected(Code.BAD_TIME, detail, "occurred_at", event_id)
        return value_objection(event, event_id)

    def _admitted(self, typed: TypedEvent, now: datetime, occurrences: Occurrences | None) -> Admitted | Rejected:
        event, kind = typed.event, typed.kind
        subject = self._subject(event)
        received_at = microseconds(now)
        occurred_at = microseconds(event.occurred_at) if isinstance(event.occurred_at, datetime) else None
        core = self._core(typed, subject)
        core["occurred_at"] = occurred_at
        digest = content_digest(core)
        undated = occurred_at is None and not isinstance(event.id, str)
        if isinstance(event.id, str):
            event_id = event.id
        else:
            event_id = derived_id(digest)
            if undated and kind not in STATEMENTS:
                event_id += self._occurrence(event_id, occurrences)
        if occurred_at is None:
            core["occurred_at"] = received_at
            core["undated"] = True if undated else None
        line = self._encode(AdmittedEvent(id=event_id, received_at=received_at, **core))
        if len(line) > self._max_event_bytes:
            return self._too_large(len(line), event_id)
        owner = owner_of(subject, event.item_id)
        memo = Memo(
            identity_key(owner, kind, event.source, event_id),
            int.from_bytes(digest[:8], "big", signed=True),
            topic_of(owner, kind, event) if kind in STATEMENTS else None,
            undated,
        )
        raw_ids_are_plain = (event.user_id or "").isascii() and (event.anonymous_id or "").isascii()
        if typed.former_attributes is None and line.isascii() and raw_ids_are_plain:
            return Admitted(event_id, owner, line, memo)
        is_known_by_place = undated and (kind in STATEMENTS or event_id != derived_id(digest))
        former = () if is_known_by_place else self._former(typed, occurred_at, is_known_as=(owner, event_id))
        return Admitted(event_id, owner, line, memo, former, self._links(event, owner, received_at))

    def _core(self, typed: TypedEvent, subject: str | None, *, as_before: bool = False) -> dict[str, Any]:
        """The columns that make up an event's content; `as_before`: with objects encoded as in earlier releases."""
        event = typed.event
        columns, payload = _columns_and_payload(typed.kind, event)
        attributes = event.attributes
        if as_before:
            attributes = attributes if typed.former_attributes is None else typed.former_attributes
        elif "traits" in payload:
            payload["traits"] = sorted_keys(payload["traits"])
        if isinstance(event, Identify):
            former = self._pseudonyms.former_subject_of(event.anonymous_id, ANONYMOUS) if as_before else None
            payload["anonymous_subject"] = former or self._pseudonyms.subject_of(event.anonymous_id, ANONYMOUS)
        return {
            "v": event.v,
            "kind": typed.kind,
            "subject": subject,
            "item_id": event.item_id,
            "source": event.source,
            "decision_id": event.decision_id,
            "consent": event.consent,
            "payload": self._encode(payload).decode() if payload else None,
            "attributes": self._encode(attributes).decode() if attributes else None,
            **columns,
        }

    def _occurrence(self, content_id: str, occurrences: Occurrences | None) -> str:
        """Suffix of the id of an event that is identified by its content alone."""
        if occurrences is None:
            return f"-{self._draw()}"
        count = occurrences.next(content_id)
        return f"-{count}" if count else ""

    def _former(self, typed: TypedEvent, occurred_at: int | None, *, is_known_as: tuple[str, str]) -> tuple[bytes, ...]:
        """The key under which an earlier release remembered an event, if it knew its owner or its id otherwise."""
        event = typed.event
        subject = self._subject(event, as_before=True)
        event_id = event.id
        if not isinstance(event_id, str):
            content = {**self._core(typed, subject, as_before=True), "occurred_at": occurred_at}
            event_id = derived_id(content_digest(content, compose=False))
        former = owner_of(subject, event.item_id), event_id
        return () if former == is_known_as else (former_identity_key(*former),)

    def _former_subjects(self, event: Event) -> list[str]:
        """Pseudonyms that earlier releases gave the person, where this release gives another one."""
        found = []
        if event.needs_subject and event.user_id is not None:
            found.append(self._pseudonyms.former_subject_of(event.user_id))
        if (
            event.needs_subject
            and event.anonymous_id is not None
            and (event.user_id is None or isinstance(event, Identify))
        ):
            found.append(self._pseudonyms.former_subject_of(event.anonymous_id, ANONYMOUS))
        return [subject for subject in found if subject is not None]

    def _links(self, event: Event, subject: str, received_at: int) -> tuple[Admitted, ...]:
        """Identify events that link a person's former pseudonyms to this subject; their ids never change, so each lands
        once."""
        return tuple(self._link(subject, old, received_at) for old in self._former_subjects(event))

    def _link(self, subject: str, old: str, received_at: int) -> Admitted:
        payload = self._encode({"anonymous_subject": old}).decode()
        event = AdmittedEvent(
            v=CONTRACT_VERSION,
            id=f"{LINK_PREFIX}{old}",
            kind=IDENTIFY,
            subject=subject,
            occurred_at=received_at,
            received_at=received_at,
            source=LINK_SOURCE,
            payload=payload,
        )
        memo = Memo(identity_key(subject, IDENTIFY, LINK_SOURCE, event.id))
        return Admitted(event.id, subject, self._encode(event), memo)

    def _subject(self, event: Event, *, as_before: bool = False) -> str | None:
        """The pseudonym of the person; `as_before`: the one that earlier releases gave."""
        if not event.needs_subject:
            return None
        raw_id = event.anonymous_id or "" if event.user_id is None else event.user_id
        identity = ANONYMOUS if event.user_id is None else USER
        former = self._pseudonyms.former_subject_of(raw_id, identity) if as_before else None
        return former or self._pseudonyms.subject_of(raw_id, identity)

    def _too_large(self, size: int, event_id: str | None = None) -> Rejected:
        return Rejected(Code.TOO_LARGE, f"{size:,} bytes, the limit is {self._max_event_bytes:,}", None, event_id)


def _nobody(event: Event, *, null_words: bool) -> tuple[str, str] | None:
    """Why neither raw id names a person."""
    for name, raw_id in (("user_id", event.user_id), ("anonymous_id", event.anonymous_id)):
        if raw_id is None:
            continue
        if raw_id.isspace():
            return name, "is blank: leave it out, or send an id"
        if not null_words and is_placeholder(raw_id):
            return name, f"is {raw_id!r}, a word for no id: leave it out, or set accept_placeholder_ids"
    return None


def _columns_and_payload(kind: str, event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """Map the kind's fields and the context to columns; fields without a column go to the payload."""
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
        columns["scale_min"], columns["scale_max"] = survey_scale(event) or (None, None)
    for name in Context.__struct_fields__:
        value = getattr(event.context, name)
        if value is not None:
            columns[name] = value
    return columns, payload
