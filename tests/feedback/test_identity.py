"""What identifies an event: owner, kind, source and id; and the ids of events that came without one."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import msgspec
import pytest

from feedback.admission import Admission, Admitted
from feedback.admitted import AdmittedEvent
from feedback.occurrences import Occurrences
from feedback.subjects import Pseudonyms
from tests.conftest import NOW

ADMISSION = Admission(Pseudonyms(b"k" * 32))
TIME = "2026-02-01T10:00:00Z"
CLICK: dict[str, Any] = {"kind": "click", "user_id": "u1", "item_id": "i", "occurred_at": TIME}
NFD = unicodedata.normalize("NFD", "é")
NFC = unicodedata.normalize("NFC", "é")

FORMER_IDS: dict[str, tuple[dict[str, Any], str]] = {
    "rating": (
        {"kind": "rating", "user_id": "u1", "item_id": "i", "value": 4, "scale": [1, 5], "occurred_at": TIME},
        "auto-9fc6d7b55262377bbacf24b6b30dd72a",
    ),
    "rating without time": (
        {"kind": "rating", "user_id": "u1", "item_id": "i", "value": 4, "scale": [1, 5]},
        "auto-393aa7cd906f5cb17354520cbaf858aa",
    ),
    "unknown fields": (
        {**CLICK, "zone": 1, "aisle": {"a": 1, "b": [{"c": 2, "d": 3}]}},
        "auto-395a2b45a9fa166c0a27674ffa4eac7b",
    ),
    "attributes beside unknown fields": (
        {**CLICK, "attributes": {"x": 1, "z": 2}, "aisle": 7, "context": {"country": "DE", "shelf": 3}},
        "auto-943a1ea94e06a5949acc870fb39eac9b",
    ),
    "composed text": (
        {"kind": "review", "user_id": "u1", "item_id": f"caf{NFC}", "text": "tr\u00e8s bien", "occurred_at": TIME},
        "auto-087732397d1a8a37707f6b7f727e4f2f",
    ),
    "decomposed item": ({**CLICK, "item_id": f"caf{NFD}"}, "auto-f27102f85300de5bd4b50c391eec16c0"),
    "profile": (
        {"kind": "profile", "user_id": "u1", "segment": "a", "traits": {"age": 3, "plan": "pro"}, "occurred_at": TIME},
        "auto-b0495b4ea877bd5c4a1d21265262553a",
    ),
    "item": (
        {"kind": "item", "item_id": "i", "title": "A thing", "tags": ["b", "a"], "price": 2.5},
        "auto-01a1e08ce4bf2340d212229817bb2d44",
    ),
    "survey": (
        {"kind": "survey", "anonymous_id": "v", "metric": "nps", "value": 9, "question_id": "q"},
        "auto-02f17ec93f66ae62f8114b8dbbc20ca0",
    ),
    "identify": (
        {"kind": "identify", "user_id": "u1", "anonymous_id": "v", "occurred_at": TIME},
        "auto-8e3b1fcd2ece2eb6353ee470052b86b8",
    ),
}
"""Events, and the ids that the release of November 2026 derived for them."""


def admitted(event: dict[str, Any], occurrences: Occurrences | None = None) -> Admitted:
    outcome = ADMISSION.admit(json.dumps(event).encode(), NOW, occurrences=occurrences)
    assert isinstance(outcome, Admitted), outcome
    return outcome


def line_of(event: dict[str, Any]) -> AdmittedEvent:
    return msgspec.json.decode(admitted(event).line, type=AdmittedEvent)


def attributes_of(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line_of(event).attributes or "{}")
    return found


@pytest.mark.parametrize(("event", "former"), FORMER_IDS.values(), ids=FORMER_IDS)
def test_derived_ids_are_those_of_the_release_before(event: dict[str, Any], former: str) -> None:
    assert admitted(event).id == former


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"zone": {"a": 1, "b": [{"c": 2, "d": 3}]}}, {"zone": {"b": [{"d": 3, "c": 2}], "a": 1}}),
        ({"attributes": {"a": 1, "b": {"c": 2, "d": 3}}}, {"attributes": {"b": {"d": 3, "c": 2}, "a": 1}}),
        ({"context": {"shelf": {"a": 1, "b": 2}}}, {"context": {"shelf": {"b": 2, "a": 1}}}),
    ],
    ids=["unknown field", "attributes", "context"],
)
def test_the_order_of_keys_changes_no_identity(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = admitted({**CLICK, **one}), admitted({**CLICK, **other})

    assert first.memo == second.memo
    assert first.former == ()  # sorted as it is, the release before gave it the same id
    assert len(second.former) == 1
    assert attributes_of({**CLICK, **one}) == attributes_of({**CLICK, **other})


def test_the_order_of_a_profiles_traits_changes_no_identity() -> None:
    profile = {"kind": "profile", "user_id": "u1", "occurred_at": TIME}

    first, second = ({**profile, "traits": traits} for traits in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))

    assert admitted(first).memo == admitted(second).memo
    assert [len(admitted(event).former) for event in (first, second)] == [0, 1]


@pytest.mark.parametrize("field", ["text", "shelf"])
def test_two_ways_to_write_a_letter_are_one_content(field: str) -> None:
    review = {"kind": "review", "user_id": "u1", "item_id": "i", "text": "fine", "occurred_at": TIME}

    decomposed, composed = (admitted({**review, field: text}) for text in (NFD, NFC))

    assert decomposed.id == composed.id
    assert [len(event.former) for event in (decomposed, composed)] == [1, 0]


def test_items_are_told_apart_byte_for_byte_and_come_back_as_they_were() -> None:
    one, other = ({**CLICK, "item_id": item, "context": {"section": NFD}} for item in (NFD, NFC))

    assert admitted(one).id != admitted(other).id
    assert [line_of(event).item_id for event in (one, other)] == [NFD, NFC]


def test_a_person_is_one_however_the_letters_are_written() -> None:
    assert line_of({**CLICK, "user_id": NFD}).subject == line_of({**CLICK, "user_id": NFC}).subject


@pytest.mark.parametrize("change", [{"kind": "hide"}, {"source": "shop"}, {"user_id": "u2"}])
def test_the_same_id_of_another_kind_source_or_person_is_another_event(change: dict[str, Any]) -> None:
    event = {**CLICK, "id": "1", "source": "web"}

    assert admitted(event).memo.key != admitted({**event, **change}).memo.key


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"attributes": {"color": "red"}, "color": "blue"}, {"color": "red", "color@line": "blue"}),
        ({"attributes": {"color": "red"}, "color": "red"}, {"color": "red"}),
        ({"attributes": {"color": 1}, "color": True}, {"color": 1, "color@line": True}),
        (
            {"attributes": {"context": "home"}, "context": {"shelf": 3}},
            {"context": "home", "context@line": {"shelf": 3}},
        ),
        (
            {"attributes": {"a": 1, "a@line": 2}, "a": 3},
            {"a": 1, "a@line": 2, "a@line@line": 3},
        ),
    ],
    ids=["other value", "equal value", "a number is not true", "stray context", "twice"],
)
def test_an_unknown_field_overwrites_no_attribute(event: dict[str, Any], kept: dict[str, Any]) -> None:
    assert attributes_of({**CLICK, **event}) == kept


def test_an_undated_view_counts_each_time_and_in_a_file_by_its_place_among_equals() -> None:
    view = {"kind": "view", "user_id": "u1", "item_id": "i"}
    first_file, second_file = Occurrences(), Occurrences()

    over_http = {admitted(view).id for _ in range(3)}
    in_a_file = [admitted(view, first_file).id for _ in range(3)]
    once_more = [admitted(view, second_file).id for _ in range(3)]

    assert len(over_http) == 3
    assert len(set(in_a_file)) == 3
    assert in_a_file == once_more
    assert all(event_id.startswith(in_a_file[0]) for event_id in over_http)


@pytest.mark.parametrize(
    ("change", "undated"),
    [({}, True), ({"id": "1"}, None), ({"occurred_at": TIME}, None)],
    ids=["neither", "id", "time"],
)
def test_the_line_says_that_neither_id_nor_time_was_given(change: dict[str, Any], undated: bool | None) -> None:
    rating = {"kind": "rating", "user_id": "u1", "item_id": "i", "value": 4, "scale": [1, 5]}

    assert line_of({**rating, **change}).undated is undated
