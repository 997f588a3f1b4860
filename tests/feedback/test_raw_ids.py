"""Raw ids as people send them: numbers become text, and words like `null` name no person."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from feedback.admission import Admission, Admitted
from feedback.admitted import AdmittedEvent
from feedback.contract import CONTEXT_ID_FIELDS, ID_FIELDS
from feedback.errors import Code
from feedback.fields.raw_ids import id_text, is_placeholder
from feedback.intake import open_intake
from feedback.settings.home import Settings, load_settings
from feedback.subjects import Pseudonyms
from feedback.verdicts import Rejected
from tests.conftest import NOW
from tests.feedback.test_admission import MINIMAL

ADMISSION = Admission(Pseudonyms(b"k" * 32))
NOBODY = ["null", "NULL", "undefined", "None", "nan", "NaN", "N/A", "n/a", "NA", "\\N", "[object Object]", " null "]
SOMEBODY = ["Na", "na", "nullman", "0", "-", "Anna", "none of your business", "1e5"]


def admit(event: dict[str, Any]) -> Admitted | Rejected:
    return ADMISSION.admit(json.dumps(event).encode(), NOW)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ID_FIELDS.items() for name in names])
def test_a_whole_number_is_its_text_in_every_id_field(kind: str, name: str) -> None:
    event = {"kind": kind, **MINIMAL[kind]}
    as_numbers, as_texts = ([4521], ["4521"]) if name == "items" else (4521, "4521")

    one, other = admit({**event, name: as_numbers}), admit({**event, name: as_texts})

    assert isinstance(one, Admitted), one
    assert isinstance(other, Admitted), other
    assert one.id.partition("-")[0] == other.id.partition("-")[0]
    assert _content(one.line) == _content(other.line)


def _content(line: bytes) -> dict[str, Any]:
    return {**msgspec.json.decode(line), "id": None}


def test_the_contracts_references_are_among_the_id_fields() -> None:
    assert {"order_id", "item_id", "user_id", "id", "decision_id"} <= set(ID_FIELDS["purchase"])
    assert {"survey_id", "question_id"} <= set(ID_FIELDS["survey"])
    assert "conversation_id" in ID_FIELDS["message"]
    assert "items" in ID_FIELDS["exposure"]
    assert CONTEXT_ID_FIELDS == ("session_id",)


def test_a_number_as_session_is_its_text() -> None:
    outcome = admit({"kind": "view", "user_id": "u", "context": {"session_id": 77, "device": "phone"}})

    assert isinstance(outcome, Admitted), outcome
    event = msgspec.json.decode(outcome.line, type=AdmittedEvent)
    assert (event.session_id, event.device) == ("77", "phone")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"),
        (42.0, "42"),
        (-7, "-7"),
        (42.5, 42.5),
        (True, True),
        (1e300, 1e300),
        ("042", "042"),
        ([1, 2.0], ["1", "2"]),
    ],
)
def test_whole_numbers_become_text_and_nothing_else_does(value: object, text: object) -> None:
    assert id_text(value) == text
    assert type(id_text(value)) is type(text)


@pytest.mark.parametrize("value", [True, 42.5, {"a": 1}])
def test_what_is_no_id_is_refused(value: object) -> None:
    outcome = admit({"kind": "purchase", "user_id": "u", "item_id": "i", "order_id": value})

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.field) == (Code.INVALID_FIELD, "order_id")


@pytest.mark.parametrize("name", ["user_id", "anonymous_id"])
@pytest.mark.parametrize("word", [*NOBODY, " ", "\t\n"])
def test_a_word_for_nothing_is_nobody(word: str, name: str) -> None:
    outcome = admit({"kind": "view", name: word})

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.field) == (Code.NO_SUBJECT, name)


@pytest.mark.parametrize("word", SOMEBODY)
def test_other_words_are_ids(word: str) -> None:
    assert not is_placeholder(word)
    assert isinstance(admit({"kind": "view", "user_id": word}), Admitted)


def test_a_setting_takes_the_words_for_ids_as_releases_before_did(settings: Settings) -> None:
    lenient = load_settings(settings.home, accept_placeholder_ids=True)

    verdicts = open_intake(lenient).submit([{"kind": "view", "user_id": word} for word in ("None", " ")])

    assert [verdict.code for verdict in verdicts] == [None, Code.NO_SUBJECT]


@pytest.mark.parametrize("name", ["id", "item_id"])
def test_a_blank_id_is_refused(name: str) -> None:
    outcome = admit({"kind": "view", "user_id": "u", name: "  "})

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.field) == (Code.INVALID_FIELD, name)
