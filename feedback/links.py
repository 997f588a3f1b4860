"""Links between subjects: which of them are one person.

An identify event says that a known subject is the same person as an anonymous visit, or as a pseudonym that it had
before. Such a link holds for good. A visit that several known subjects claim, as on a shared device, belongs to the
one whose claim was received first, on a tie to the smaller; so two people never become one because of a visit.

The result does not depend on the order of links; repeated links change nothing; chains and circles are resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Link(NamedTuple):
    """A subject's claim that an anonymous visit, or a former pseudonym, is the same person."""

    subject: str
    anonymous: str
    received_at: int
    """When the gateway received it, microseconds since 1970 (UTC)."""


def claimants(links: Iterable[Link]) -> dict[str, str]:
    """For each visit that somebody claims, the subject that it belongs to."""
    first: dict[str, tuple[int, str]] = {}
    for link in links:
        claim = (link.received_at, link.subject)
        if link.subject != link.anonymous and claim < first.get(link.anonymous, (link.received_at + 1, "")):
            first[link.anonymous] = claim
    return {anonymous: subject for anonymous, (_, subject) in first.items()}


def canonical_subject(subject: str, claimant: Callable[[str], str | None]) -> str:
    """The subject under which a person is known: the end of the chain of claims, in a circle its smallest subject.

    Args:
        subject: Anyone.
        claimant: The subject that a visit belongs to, `None` where nobody claims it.
    """
    path = {subject: 0}
    at = subject
    while (above := claimant(at)) is not None:
        if above in path:
            return min(who for who, place in path.items() if place >= path[above])
        path[above] = len(path)
        at = above
    return at


def canonical_subjects(links: Iterable[Link]) -> dict[str, str]:
    """For each linked subject that is not the canonical one of its person, the one that is."""
    claimed = claimants(links)
    found: dict[str, str] = {}
    for subject in claimed:
        canonical = canonical_subject(subject, lambda who: found.get(who) or claimed.get(who))
        if canonical != subject:
            found[subject] = canonical
    return found


def same_person(
    subject: str, *, claimant: Callable[[str], str | None], visits: Callable[[str], Iterable[str]]
) -> list[str]:
    """All subjects of one person, the given one among them.

    Args:
        subject: Anyone.
        claimant: The subject that a visit belongs to, `None` where nobody claims it.
        visits: The visits that a subject claims, whoever they belong to.
    """
    found = {canonical_subject(subject, claimant): None, subject: None}
    waiting = list(found)
    while waiting:
        owner = waiting.pop()
        for visit in visits(owner):
            if visit not in found and claimant(visit) == owner:
                found[visit] = None
                waiting.append(visit)
    return list(found)


def reached(subject: str, neighbours: Callable[[str], Iterable[str]]) -> list[str]:
    """Subjects that lead from one to the next, the first one included."""
    found = {subject: None}
    waiting = [subject]
    while waiting:
        for other in neighbours(waiting.pop()):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)
