"""The online store: what consent, links and events mean, above a backend that knows keys and bytes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from feedback.consent import NOTHING_STATED, Standing, Statement, after, is_granted
from feedback.errors import ServiceError
from feedback.links import canonical_subjects, reached, same_person
from online.backend import Basis, Changes, OnlineBackend
from online.events import OnlinePerson, RecentEvent, beyond, decoded, encoded, online_rows
from online.statements import Owner, links_of, statements_of

LOGGER = logging.getLogger("heed.online")

MAX_RECENT = 1_000
"""Events of one person that a list looks at; older ones are in the bundle by then."""

MAX_LINKED = 1_000
"""Linked subjects that are looked at for one list. Behind more stands no person but a mistake, such as one anonymous
id in every copy of an app; as not all consent is looked at then, that list is not personal."""

BEFORE_PLACES = -1
"""Log partition of a denial that a store of an earlier release kept without its place in the log."""


class KeyedOnlineStore:
    """An `OnlineStore` in any backend."""

    def __init__(self, backend: OnlineBackend) -> None:
        self._backend = backend

    def push(self, events: pl.DataFrame, positions: dict[int, int]) -> None:
        """Take over the rows of one commit and its positions; repeating it is harmless.

        Raises:
            ServiceError: The store cannot be written; nothing of the commit is in.
        """
        while not self._push(events, positions):  # another worker pushed meanwhile what is among these rows
            pass
        try:
            self._backend.tidy()
        except ServiceError as error:  # what was pushed is in; the next push tries again
            LOGGER.warning("the online store is tidied later: %s", error)

    def _push(self, events: pl.DataFrame, positions: Mapping[int, int]) -> bool:
        known = self._backend.positions()
        basis = Basis({p: known.get(p, 0) for p in positions}, self._backend.owes_consents())
        fresh = beyond(events, known)
        rows = online_rows(fresh)
        statements = statements_of(fresh)
        changes = Changes(
            positions=positions,
            events=encoded(rows) if rows.height else None,
            standings=_counted(self._backend.standings(statements), statements),
            links=links_of(fresh),
        )
        return self._backend.apply(changes, basis=basis)

    def recent(self, subject: str, *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """A person's recent events, oldest first, those of linked subjects among them."""
        return self.recent_of(self.linked(subject), after=after)

    def recent_of(self, subjects: Sequence[str], *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """The recent events of these subjects and no others, oldest first."""
        known = after or {}
        found = decoded(self._backend.events_of(subjects, at_most=MAX_RECENT))
        events = [event for event in found if event.log_offset >= known.get(event.log_partition, 0)]
        events.sort(key=_in_time)
        return events[-MAX_RECENT:]

    def linked(self, subject: str) -> list[str]:
        """The subjects whose history is this one's: those of the same person, and every visit that it claims."""
        return self.person(subject).subjects

    def personal(self, subject: str) -> bool:
        """Whether lists may be personal: neither this subject nor those linked with it withdrew `personalization`."""
        return self.person(subject).is_personal

    def person(self, subject: str) -> OnlinePerson:
        """What is known of a subject's person; for consent whoever claims it is looked at as well.

        A subject with more than `MAX_LINKED` linked ones is a person of its own that gets no personal list.
        """
        links = _Links(self._backend)
        try:
            if not (links.visits_of(subject) or links.claimants_of(subject)):  # like most
                return OnlinePerson([subject], is_granted(self._backend.standings_of([subject])))
            same = same_person(subject, claimant=links.claimant_of, visits=links.visits_of)
            subjects = list(dict.fromkeys([*same, *reached(subject, links.visits_of)]))
            group = {*subjects, *reached(subject, links.claimants_of)}
        except _TooManyError:
            return OnlinePerson([subject], is_personal=False, is_crowd=True)
        return OnlinePerson(subjects, is_granted(self._backend.standings_of(group)))

    def canonical(self) -> dict[str, str]:
        """Of each linked subject that is not the canonical one of its person, the one that is."""
        return canonical_subjects(self._backend.links())

    def owes_consents(self) -> bool:
        """Whether an earlier release wrote consent or links that are kept, by another rule."""
        return self._backend.owes_consents()

    def restate_consents(self, stated: pl.DataFrame, *, at: Mapping[int, int]) -> bool:
        """Take consent and links from all such events below the store's positions; refused where those are others.

        A denial of the earlier release of which the lake knows nothing stays.
        """
        if self._backend.positions() != dict(at):
            return False
        statements = statements_of(stated)
        changes = Changes(
            standings=_counted({}, statements),
            forgotten=[Owner(owner.subject, BEFORE_PLACES) for owner in statements],
            links=links_of(stated),
            settles_consents=True,
        )
        return self._backend.apply(changes, basis=Basis(at, owes_consents=True))

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store."""
        return self._backend.stamp()

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        return self._backend.positions()

    def trim(self, *, before: dict[int, int]) -> int:
        """Forget events below these positions; returns how many were forgotten. Links and consent stay for good."""
        return self._backend.trim(before=before)

    def close(self) -> None:
        """Release the connection."""
        self._backend.close()


class _TooManyError(Exception):
    """More than `MAX_LINKED` linked subjects."""


class _Links:
    """Links as a walk along them asks for them, each read once; the walk ends after `MAX_LINKED` subjects."""

    def __init__(self, backend: OnlineBackend) -> None:
        self._backend = backend
        self._visits: dict[str, list[str]] = {}
        self._claimants: dict[str, list[str]] = {}
        self._claimant: dict[str, str | None] = {}

    def visits_of(self, subject: str) -> list[str]:
        found = self._visits.get(subject)
        if found is None:
            found = self._visits[subject] = _few(self._backend.visits_of(subject, at_most=MAX_LINKED + 1))
            self._end_at_last()
        return found

    def claimants_of(self, anonymous: str) -> list[str]:
        found = self._claimants.get(anonymous)
        if found is None:
            found = self._claimants[anonymous] = _few(self._backend.claimants_of(anonymous, at_most=MAX_LINKED + 1))
            self._end_at_last()
        return found

    def claimant_of(self, anonymous: str) -> str | None:
        if anonymous not in self._claimant:
            self._claimant[anonymous] = next(iter(self._backend.claimants_of(anonymous, at_most=1)), None)
            self._end_at_last()
        return self._claimant[anonymous]

    def _end_at_last(self) -> None:
        """The subject that is asked for is no linked one."""
        if max(len(self._visits), len(self._claimants), len(self._claimant)) > MAX_LINKED + 1:
            raise _TooManyError


def _few(subjects: list[str]) -> list[str]:
    if len(subjects) > MAX_LINKED:
        raise _TooManyError
    return subjects


def _counted(
    standings: Mapping[Owner, Standing], statements: Mapping[Owner, Iterable[Statement]]
) -> dict[Owner, Standing]:
    """The standings that statements change, with them counted."""
    found: dict[Owner, Standing] = {}
    for owner, stated in statements.items():
        before = standing = standings.get(owner, NOTHING_STATED)
        for statement in stated:
            standing = after(standing, statement)
        if standing != before:
            found[owner] = standing
    return found


def _in_time(event: RecentEvent) -> tuple[int, int, int, int]:
    return event.occurred_at, event.log_partition, event.log_offset, event.log_index
