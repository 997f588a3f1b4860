"""Consent to one purpose: whether a subject's statements amount to a grant or a denial.

The order of appending decides, not the sender's clock: a denial holds until a grant that was appended after it undoes
it. But a grant never undoes a denial that was received after the time that the grant states: a phone that was offline
sends its old grants late.

A subject's statements stand in one log partition, in order. A person's linked subjects may stand in several; there a
grant comes after a denial if it was received later, and on a tie the denial holds. Without a denial all is granted.
Times are microseconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

PERSONALIZATION = "personalization"

Place = tuple[int, int]
"""Offset and index of an event in its log partition."""


class Statement(NamedTuple):
    """One statement of one subject about one purpose."""

    place: Place
    granted: bool
    received_at: int
    """When the gateway received it."""
    occurred_at: int
    """When it was made, as the sender says."""


class Standing(NamedTuple):
    """The state after all statements of one subject in one partition."""

    through: Place
    """The last statement that is counted."""
    denied_at: int | None
    """Latest receipt of a denial that no later grant of this subject has undone; `None` where none is left."""
    granted_at: int | None
    """Its grants undo denials of linked subjects that were received before this time; `None` where there is none."""


NOTHING_STATED = Standing((-1, -1), None, None)


def after(standing: Standing, statement: Statement) -> Standing:
    """The standing after the subject's next statement; a statement that was counted before changes nothing."""
    if statement.place <= standing.through:
        return standing
    denied_at, granted_at = standing.denied_at, standing.granted_at
    if not statement.granted:
        denied_at = _later(denied_at, statement.received_at)
    else:
        granted_at = _later(granted_at, min(statement.received_at, statement.occurred_at))
        if denied_at is not None and statement.occurred_at >= denied_at:
            denied_at = None
    return Standing(statement.place, denied_at, granted_at)


def is_granted(standings: Iterable[Standing]) -> bool:
    """Whether no denial holds among the standings of a person's linked subjects."""
    found = list(standings)
    return all(
        standing.denied_at is None
        or any(
            other.granted_at is not None and other.granted_at > standing.denied_at
            for place, other in enumerate(found)
            if place != own
        )
        for own, standing in enumerate(found)
    )


def payload_object(payload: str | None) -> dict[str, Any] | None:
    """An event's payload as a mapping; `None` where it is none. Never raises."""
    try:
        stated = msgspec.json.decode(payload or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return stated if isinstance(stated, dict) else None


def statement_about(purpose: str, stated: dict[str, Any]) -> bool | None:
    """Whether a payload grants a purpose (True), denies it (False) or is silent; a denial beside a grant wins."""
    if _names(stated.get("denied"), purpose):
        return False
    return True if _names(stated.get("granted"), purpose) else None


def _names(purposes: object, purpose: str) -> bool:
    return purposes == purpose or (isinstance(purposes, list) and purpose in purposes)


def _later(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)
