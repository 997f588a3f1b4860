"""The types of fields that a file's cells become are the contract's."""

from __future__ import annotations

from itertools import combinations

from gateway.files.field_types import IDS, LISTS, NUMBERS, OBJECTS, TIMES, WHOLE


def test_each_field_has_the_contracts_type() -> None:
    assert {"value", "quantity", "price", "seconds", "depth", "results", "position"} == NUMBERS
    assert {"results", "position"} == WHOLE
    assert {"occurred_at", "released_at"} == TIMES
    assert {"attributes", "traits", "context", "v"} == OBJECTS
    assert {"choices", "consent", "items", "granted"} <= LISTS
    assert {"id", "user_id", "item_id", "session_id", "conversation_id"} <= IDS


def test_no_field_is_of_two_types() -> None:
    for one, other in combinations((IDS, LISTS, NUMBERS, TIMES, OBJECTS), 2):
        assert not one & other
