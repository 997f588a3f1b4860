"""CloudEvents envelopes: nothing that they say is lost, nothing overwrites what the data says."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from feedback.admission import Admission, Admitted
from feedback.admitted import AdmittedEvent
from feedback.errors import Code
from feedback.subjects import Pseudonyms
from feedback.verdicts import Rejected
from tests.conftest import NOW

ADMISSION = Admission(Pseudonyms(b"k" * 32))
DATA: dict[str, Any] = {"user_id": "u", "item_id": "i"}
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "shop",
    "type": "com.example.click",
    "data": DATA,
}


def outcome(**changes: Any) -> Admitted | Rejected:
    fields = {name: value for name, value in {**ENVELOPE, **changes}.items() if value is not ...}
    return ADMISSION.admit(json.dumps(fields).encode(), NOW)


def event(**changes: Any) -> AdmittedEvent:
    found = outcome(**changes)
    assert isinstance(found, Admitted), found
    return msgspec.json.decode(found.line, type=AdmittedEvent)


def attributes(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event(**changes).attributes or "{}")
    return found


def test_one_id_from_two_sources_is_two_events() -> None:
    shop, app = outcome(), outcome(source="app")

    assert isinstance(shop, Admitted)
    assert isinstance(app, Admitted)
    assert shop.id == app.id
    assert shop.memo.key != app.memo.key


def test_extensions_subject_and_schema_are_kept_in_the_attributes() -> None:
    besides = {"subject": "cart/7", "dataschema": "https://example.com/s", "traceparent": "00-1", "position": 3}

    found = event(**besides)

    assert json.loads(found.attributes or "") == besides
    assert found.position is None


def test_what_the_data_says_is_not_overwritten() -> None:
    data = {**DATA, "attributes": {"subject": "mine"}, "tenant": "a"}

    assert attributes(data=data, subject="theirs", tenant="b") == {
        "subject": "mine", "subject@line": "theirs", "tenant": "b", "tenant@line": "a",
    }  # fmt: skip


def test_where_the_data_states_otherwise_both_are_kept() -> None:
    data = {**DATA, "id": "own", "source": "own", "kind": "hide", "occurred_at": "2026-02-01T00:00:00Z"}

    found = event(data=data, time="2026-02-02T00:00:00Z")

    assert (found.id, found.source, found.kind) == ("own", "own", "hide")
    assert json.loads(found.attributes or "") == {
        "id": "e1", "source": "shop", "type": "com.example.click", "time": "2026-02-02T00:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["time", "subject", "dataschema", "datacontenttype", "myextension", "data_base64"])
def test_an_optional_attribute_that_is_null_is_absent(name: str) -> None:
    found = event(**{name: None})

    assert found.attributes is None
    assert found.occurred_at == found.received_at


def test_a_null_in_the_data_is_filled_from_the_envelope() -> None:
    assert event(data={**DATA, "id": None, "occurred_at": None}).id == "e1"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"])
def test_a_json_content_type_is_the_frame_and_not_kept(content_type: str) -> None:
    assert event(datacontenttype=content_type).attributes is None


def test_data_in_base64_is_decoded_where_it_is_the_event() -> None:
    text = base64.b64encode(json.dumps(DATA).encode()).decode()

    assert event(data=..., data_base64=text).item_id == "i"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data": ..., "data_base64": "%%%"}, "data_base64"),
        ({"data": ..., "data_base64": base64.b64encode(b"\xff\x00").decode()}, "data_base64"),
        ({"data": ..., "data_base64": base64.b64encode(b"[1]").decode()}, "data_base64"),
        ({"data": ..., "data_base64": 7}, "data_base64"),
        ({"data": "<click/>", "datacontenttype": "application/xml"}, "datacontenttype"),
        ({"datacontenttype": 7}, "datacontenttype"),
        ({"data": "text"}, "data"),
        ({"data": ...}, "data"),
        ({"specversion": "0.3"}, "specversion"),
        ({"source": ""}, "source"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_envelope_without_the_event_in_it_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    found = outcome(**changes)

    assert isinstance(found, Rejected)
    assert (found.code, found.field) == (Code.BAD_ENVELOPE, field)
