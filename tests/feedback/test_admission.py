from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.admission import Admission, Admitted
from feedback.admitted import AdmittedEvent
from feedback.contract import KINDS
from feedback.errors import REMEDIES, Code
from feedback.settings.landing import AdmissionSettings
from feedback.subjects import Pseudonyms
from feedback.verdicts import Rejected
from lakehouse.tables.feedback import FEEDBACK_EVENT
from tests.conftest import NOW

ADMISSION = Admission(Pseudonyms(b"k" * 32), AdmissionSettings(max_event_bytes=2_000))

WHO = {"user_id": "u1"}
MINIMAL: dict[str, dict[str, Any]] = {
    "rating": {**WHO, "item_id": "i", "value": 4, "scale": [1, 5]},
    "review": {**WHO, "item_id": "i", "text": "fine"},
    "reaction": {**WHO, "item_id": "i", "reaction": "like"},
    "survey": {**WHO, "metric": "nps", "value": 9},
    "view": WHO,
    "click": {**WHO, "item_id": "i"},
    "search": {**WHO, "query": "shoes"},
    "dwell": {**WHO, "item_id": "i", "seconds": 3.5},
    "scroll": {**WHO, "depth": 0.5},
    "skip": {**WHO, "item_id": "i"},
    "hide": {**WHO, "item_id": "i"},
    "follow": {**WHO, "item_id": "i"},
    "bookmark": {**WHO, "item_id": "i"},
    "share": {**WHO, "item_id": "i"},
    "session": {**WHO, "state": "start"},
    "message": {**WHO, "channel": "chat", "text": "hello"},
    "add_to_cart": {**WHO, "item_id": "i"},
    "purchase": {**WHO, "item_id": "i"},
    "return": {**WHO, "item_id": "i"},
    "exposure": {**WHO, "decision_id": "d"},
    "consent": {**WHO, "granted": ["feedback"]},
    "identify": {**WHO, "anonymous_id": "a"},
    "profile": WHO,
    "item": {"item_id": "i", "title": "A thing"},
}
RATING = {"kind": "rating", **MINIMAL["rating"]}


def admit(**changes: Any) -> Admitted | Rejected:
    fields = {name: value for name, value in {**RATING, **changes}.items() if value is not ...}
    return ADMISSION.admit(json.dumps(fields).encode(), NOW)


def line_of(outcome: Admitted | Rejected) -> AdmittedEvent:
    assert isinstance(outcome, Admitted), outcome
    return msgspec.json.decode(outcome.line, type=AdmittedEvent)


def test_every_kind_has_a_minimal_event_in_this_test() -> None:
    assert set(MINIMAL) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_minimal_event_of_each_kind_is_accepted(kind: str) -> None:
    outcome = ADMISSION.admit({"kind": kind, **MINIMAL[kind]}, NOW)

    assert line_of(outcome).kind == kind


@pytest.mark.parametrize("kind", [kind for kind, fields in MINIMAL.items() if "item_id" in fields])
def test_a_kind_about_an_item_needs_its_id(kind: str) -> None:
    fields = {name: value for name, value in MINIMAL[kind].items() if name != "item_id"}

    outcome = ADMISSION.admit({"kind": kind, **fields}, NOW)

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.field) == (Code.MISSING_FIELD, "item_id")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"kind": "poke"}, Code.UNKNOWN_KIND, "kind"),
        ({"kind": ...}, Code.UNKNOWN_KIND, "kind"),
        ({"value": ...}, Code.MISSING_FIELD, "value"),
        ({"value": "five"}, Code.INVALID_FIELD, "value"),
        ({"value": 6}, Code.OUT_OF_RANGE, "value"),
        ({"scale": [5, 1]}, Code.OUT_OF_RANGE, "scale"),
        ({"item_id": ""}, Code.INVALID_FIELD, "item_id"),
        ({"id": "x" * 129}, Code.INVALID_FIELD, "id"),
        ({"occurred_at": "yesterday"}, Code.BAD_TIME, "occurred_at"),
        ({"occurred_at": "2026-01-01T00:00:00"}, Code.BAD_TIME, "occurred_at"),
        ({"occurred_at": "2026-03-01T12:05:01Z"}, Code.IN_THE_FUTURE, "occurred_at"),
        ({"user_id": ...}, Code.NO_SUBJECT, "user_id"),
        ({"consent": ["analytics"]}, Code.CONSENT_MISSING, "consent"),
        ({"consent": ["all"]}, Code.INVALID_FIELD, "consent[0]"),
        ({"context": {"country": "Germany"}}, Code.INVALID_FIELD, "context.country"),
        ({"text": "x" * 3_000}, Code.TOO_LARGE, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_broken_rating_is_rejected_with_a_code_and_a_place(changes: Any, code: Code, field: str | None) -> None:
    outcome = admit(**changes)

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.field) == (code, field)
    assert outcome.verdict(7).remedy == REMEDIES[code].remedy


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", Code.NOT_JSON),
        (b"\xff\xfe", Code.NOT_JSON),
        (b"[" * 1_500, Code.NOT_JSON),
        (b"[1]", Code.NOT_AN_OBJECT),
        (b"null", Code.NOT_AN_OBJECT),
        (b'{"specversion":"1.0"}', Code.BAD_ENVELOPE),
    ],
)
def test_bytes_that_are_no_event_are_rejected(raw: bytes, code: Code) -> None:
    outcome = ADMISSION.admit(raw, NOW)

    assert isinstance(outcome, Rejected)
    assert outcome.code == code


def test_five_minutes_ahead_is_still_now() -> None:
    assert isinstance(admit(occurred_at="2026-03-01T12:05:00Z"), Admitted)


def test_unknown_fields_are_kept_in_attributes() -> None:
    event = line_of(admit(shelf=3, context={"country": "DE", "aisle": 7}))

    assert json.loads(event.attributes or "") == {"shelf": 3, "context": {"aisle": 7}}
    assert event.country == "DE"


def test_the_raw_id_never_reaches_the_log() -> None:
    outcome = admit(user_id="anna@example.com", anonymous_id="visitor-77")

    assert isinstance(outcome, Admitted)
    assert b"anna" not in outcome.line
    assert b"visitor-77" not in outcome.line


def test_a_number_as_id_is_the_same_person_as_its_text() -> None:
    assert line_of(admit(user_id=196)).subject == line_of(admit(user_id="196")).subject


def test_a_user_and_an_anonymous_visitor_of_the_same_name_are_two() -> None:
    assert line_of(admit(user_id="7")).subject != line_of(admit(user_id=..., anonymous_id="7")).subject


def test_without_an_id_a_retry_gets_the_same_one_and_other_content_another() -> None:
    first, retry, other = admit(), admit(), admit(value=3)

    assert isinstance(first, Admitted)
    assert isinstance(retry, Admitted)
    assert isinstance(other, Admitted)
    assert first.memo == retry.memo
    assert first.memo.key != other.memo.key


def test_a_cloud_event_is_opened() -> None:
    envelope = {"specversion": "1.0", "id": "e1", "source": "shop", "type": "com.example.click"}

    event = line_of(ADMISSION.admit({**envelope, "data": {"user_id": "u", "item_id": "i"}}, NOW))

    assert (event.id, event.source, event.kind) == ("e1", "shop", "click")


def test_the_admitted_event_has_the_columns_of_the_feedback_table() -> None:
    assert list(AdmittedEvent.__struct_fields__) == [column.name for column in FEEDBACK_EVENT]


def test_every_code_has_a_meaning_and_a_remedy() -> None:
    assert set(REMEDIES) == set(Code)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    name=st.sampled_from(["value", "scale", "item_id", "context", "consent"]),
    junk=_JSON,
)
def test_admission_never_raises_whatever_a_field_holds(kind: str, name: str, junk: Any) -> None:
    outcome = ADMISSION.admit({"kind": kind, **MINIMAL[kind], name: junk}, NOW)

    assert isinstance(outcome, Admitted | Rejected)


@given(raw=st.binary(max_size=60))
def test_admission_never_raises_whatever_the_bytes_are(raw: bytes) -> None:
    assert isinstance(ADMISSION.admit(raw, NOW), Admitted | Rejected)


def test_times_are_kept_to_the_microsecond(now: datetime) -> None:
    assert line_of(admit(occurred_at="2026-01-31T09:30:00.123456+01:00")).occurred_at == 1_769_848_200_123_456
