"""The ports that a database implements for the online store, in terms of keys and bytes.

`online.store`, above them, decides what the bytes mean. An implementation inherits `tests/online`'s
conformance suites; the port for live windows is `online.windows.WindowStore`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from feedback.consent import Standing
from feedback.links import Link
from online.events import EncodedEvents
from online.statements import Owner


@dataclass(frozen=True, slots=True)
class Basis:
    """The state that a change was computed from; if any of it has changed since, the change must be computed again."""

    positions: Mapping[int, int]
    """Positions of the partitions concerned; 0 where the store has none."""
    owes_consents: bool
    """Whether consent and links were still to be stated anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes that are written in one transaction."""

    positions: Mapping[int, int] = field(default_factory=dict)
    """By partition, up to where the log is pushed with this; a lower one than the store has changes nothing."""
    events: EncodedEvents | None = None
    """Events to add; all lie between the basis' and these positions."""
    standings: Mapping[Owner, Standing] = field(default_factory=dict)
    """Overwritten."""
    forgotten: Sequence[Owner] = ()
    """Standings to drop; before others are written."""
    links: Sequence[Link] = ()
    """Kept for good, of two that are equal but for their time the earlier one."""
    settles_consents: bool = False
    """Whether consent and links are no longer owed."""


class EventLists(Protocol):
    """Recent events by subject."""

    def events_of(self, subjects: Sequence[str], *, at_most: int) -> list[bytes]:
        """JSON of these subjects' events, in any order; of each one at least the last `at_most` that came."""
        ...

    def trim(self, *, before: Mapping[int, int]) -> int:
        """Forget events that lie below these positions, at once or with a later call; returns how many were."""
        ...


class PeopleTables(Protocol):
    """Consent and links by subject. They are never trimmed."""

    def standings(self, owners: Iterable[Owner]) -> dict[Owner, Standing]:
        """Those that are there."""
        ...

    def standings_of(self, subjects: Iterable[str]) -> list[Standing]:
        """All standings of these subjects, in any order."""
        ...

    def owes_consents(self) -> bool:
        """Whether consent or links come from an earlier release and were not stated anew since."""
        ...

    def visits_of(self, subject: str, *, at_most: int) -> list[str]:
        """The visits that a subject claims, other than itself, in any order; some of them where there are more."""
        ...

    def claimants_of(self, anonymous: str, *, at_most: int) -> list[str]:
        """Who else claims it, the earliest claim first, then by subject; a bounded read, however many there are."""
        ...

    def links(self) -> list[Link]:
        """All of them."""
        ...


class OnlineBackend(EventLists, PeopleTables, Protocol):
    """Both, written in one transaction by one of several processes, and read by many."""

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        ...

    def apply(self, changes: Changes, *, basis: Basis) -> bool:
        """Write changes in one transaction, or nothing and return False where the basis no longer holds."""
        ...

    def tidy(self) -> None:
        """Work that makes reads quicker and changes no answer, in short transactions; after a push."""
        ...

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store; cheap to ask."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...
