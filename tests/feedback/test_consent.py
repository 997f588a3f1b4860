from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.consent import (
    NOTHING_STATED,
    PERSONALIZATION,
    Statement,
    after,
    is_granted,
    payload_object,
    statement_about,
)

MINUTE = 60_000_000


def deny(place: int, received: int, occurred: int | None = None) -> Statement:
    return Statement((place, 0), False, received * MINUTE, (received if occurred is None else occurred) * MINUTE)


def grant(place: int, received: int, occurred: int | None = None) -> Statement:
    return Statement((place, 0), True, received * MINUTE, (received if occurred is None else occurred) * MINUTE)


def granted(*subjects: Iterable[Statement]) -> bool:
    return is_granted(reduce(after, stated, NOTHING_STATED) for stated in subjects)


@pytest.mark.parametrize(
    ("stated", "holds"),
    [
        ([], True),
        ([grant(0, 10)], True),
        ([deny(0, 10)], False),
        ([deny(0, 10), grant(1, 11)], True),
        ([deny(0, 10), grant(1, 11), deny(2, 12)], False),
        ([grant(0, 10, occurred=14), deny(1, 11)], False),
        ([deny(0, 10), grant(1, 11, occurred=9)], False),
        ([deny(0, 10), grant(1, 12, occurred=9), grant(2, 13)], True),
        ([deny(0, 10), grant(1, 10)], True),
        ([deny(0, 10, occurred=2), grant(1, 11, occurred=11)], True),
        ([deny(0, 12), grant(1, 13), deny(2, 11), grant(3, 14, occurred=11)], True),
    ],
    ids=[
        "nothing", "a grant", "a denial", "denied, then granted", "withdrawn again", "granted by a phone that is fast",
        "an old grant that comes late", "and a new one after it", "both in one request",
        "a denial that was made long ago", "a denial that was undone already binds no later grant",
    ],
)  # fmt: skip
def test_the_order_of_appending_decides_but_no_grant_undoes_a_denial_received_after_it(
    stated: list[Statement], holds: bool
) -> None:
    assert granted(stated) is holds


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        ([deny(0, 10)], [grant(0, 11)], True),
        ([deny(5, 10)], [grant(0, 9)], False),
        ([deny(0, 10)], [grant(9, 10)], False),
        ([deny(0, 10)], [grant(9, 11, occurred=9)], False),
        ([deny(0, 10)], [grant(9, 8, occurred=12)], False),
        ([deny(0, 10), grant(1, 12)], [deny(0, 11)], True),
        ([deny(0, 10), grant(1, 11)], [deny(0, 12)], False),
    ],
    ids=[
        "granted later", "granted before", "at the same time", "granted later, but made before",
        "granted before by a phone that is fast", "the last of both grants", "the last of both denies",
    ],
)  # fmt: skip
def test_between_linked_subjects_the_later_one_counts_and_on_a_tie_the_denial(
    one: list[Statement], other: list[Statement], holds: bool
) -> None:
    assert granted(one, other) is granted(other, one) is holds


def holds_by_the_rule(subjects: Mapping[int, list[Statement]]) -> bool:
    """The rule word by word, over all pairs: every denial is undone by a grant that came after it."""

    def undone(owner: int, denial: Statement) -> bool:
        return any(
            grant.granted
            and (
                grant.place > denial.place and grant.occurred_at >= denial.received_at
                if other == owner
                else min(grant.received_at, grant.occurred_at) > denial.received_at
            )
            for other, stated in subjects.items()
            for grant in stated
        )

    return all(s.granted or undone(owner, s) for owner, stated in subjects.items() for s in stated)


moments = st.integers(0, 6)
stated_once = st.tuples(st.integers(0, 2), st.booleans(), moments, moments)


@given(st.lists(stated_once, max_size=12))
def test_a_standing_says_what_all_statements_say(drawn: list[tuple[int, bool, int, int]]) -> None:
    subjects: dict[int, list[Statement]] = {}
    for place, (owner, *rest) in enumerate(drawn):
        subjects.setdefault(owner, []).append(Statement((place, 0), *rest))

    assert granted(*subjects.values()) is holds_by_the_rule(subjects)


def test_a_statement_that_is_counted_already_changes_nothing() -> None:
    standing = reduce(after, [deny(0, 10), grant(1, 11)], NOTHING_STATED)

    assert after(standing, deny(0, 10)) == standing
    assert after(standing, deny(1, 99)) == standing


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ('{"denied":["personalization"]}', False),
        ('{"granted":["analytics","personalization"]}', True),
        ('{"denied":["personalization"],"granted":["personalization"]}', False),
        ('{"denied":["analytics"]}', None),
        ('{"denied":null,"granted":["personalization"]}', True),
        ('{"denied":"personalization"}', False),
        ('{"denied":"no personalization"}', None),
        ('{"denied":[null,7,["personalization"]]}', None),
        ('{"denied":{"personalization":1}}', None),
        ("{}", None),
        ("", None),
        (None, None),
    ],
)
def test_what_a_payload_says_about_one_purpose(payload: str | None, says: bool | None) -> None:
    stated = payload_object(payload)

    assert stated is not None
    assert statement_about(PERSONALIZATION, stated) is says


@pytest.mark.parametrize("payload", ["[]", "7", "null", "not json", '{"denied":', "\udcff", "[" * 100_000])
def test_a_payload_that_is_no_object_is_none(payload: str) -> None:
    assert payload_object(payload) is None
