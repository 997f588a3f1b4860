from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from feedback.links import Link, canonical_subject, canonical_subjects, claimants, reached, same_person

links = st.lists(st.builds(Link, st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(0, 3)), max_size=12)


def persons(found: Iterable[Link]) -> dict[str, str]:
    return canonical_subjects(found)


def test_a_visit_is_the_person_who_claims_it() -> None:
    assert persons([Link("anna", "visit", 1)]) == {"visit": "anna"}


def test_a_chain_ends_at_its_known_subject() -> None:
    chain = [Link("anna", "anna-before", 5), Link("anna-before", "visit", 1)]

    assert persons(chain) == {"anna-before": "anna", "visit": "anna"}


def test_a_circle_is_one_person_under_its_smallest_subject() -> None:
    circle = [Link("b", "a", 1), Link("c", "b", 2), Link("a", "c", 3), Link("a", "visit", 9)]

    assert persons(circle) == {"b": "a", "c": "a", "visit": "a"}
    assert persons([Link("a", "a", 1)]) == {}


def test_a_shared_visit_belongs_to_the_first_and_makes_no_person_of_two() -> None:
    shared = [Link("anna", "visit", 2), Link("bob", "visit", 1), Link("anna", "phone", 1)]

    assert persons(shared) == {"visit": "bob", "phone": "anna"}
    assert persons([Link("bob", "visit", 1), Link("anna", "visit", 1)]) == {"visit": "anna"}


@given(links, st.randoms())
def test_neither_order_nor_repetition_makes_a_difference(found: list[Link], random: object) -> None:
    again = [*found, *found]
    random.shuffle(again)  # type: ignore[attr-defined]

    assert persons(again) == persons(found)
    assert all(canonical not in persons(found) for canonical in persons(found).values())


@given(links)
def test_the_subjects_of_a_person_are_those_with_the_same_canonical_one(found: list[Link]) -> None:
    canonical = persons(found)
    claimed = claimants(found)

    def visits(subject: str) -> list[str]:
        return [link.anonymous for link in found if link.subject == subject]

    for subject in "abcdef":
        mine = canonical.get(subject, subject)
        assert canonical_subject(subject, claimed.get) == mine
        group = same_person(subject, claimant=claimed.get, visits=visits)
        assert sorted(group) == [other for other in "abcdef" if canonical.get(other, other) == mine]
        assert reached(subject, visits)[0] == subject
