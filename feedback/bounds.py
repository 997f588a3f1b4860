"""Bounds of an event's times and contract version, shared by admission, landing and checks.

How far a sender's clock may run ahead is a setting (`max_future_seconds`); here is only its default. A bound never
becomes narrower: rows that were accepted under it stay in the lake for good.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
"""The earliest time that an event may state: the first that calendars can hold."""
LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
"""The latest time that calendars can hold."""

FIRST_VERSION: Final = 1
"""The lowest version of the event contract."""
LAST_VERSION: Final = 1000
"""The highest contract version that is accepted; a larger number is a mistake."""

DEFAULT_MAX_FUTURE: Final = timedelta(minutes=5)
"""How far a time may lie ahead of the clock that judges it, unless the settings say otherwise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


EARLIEST_US: Final = microseconds(EARLIEST)
"""`EARLIEST` in microseconds since 1970 (UTC)."""
LATEST_US: Final = microseconds(LATEST)
"""`LATEST` in microseconds since 1970 (UTC)."""

FIRST_LOG_MS: Final = microseconds(datetime(2000, 1, 1, tzinfo=UTC)) // 1000
"""The earliest time at which a log can have taken a record, in milliseconds since 1970 (UTC); seconds or nothing at
all, taken for milliseconds, lie before it."""
LAST_LOG_MS: Final = microseconds(datetime(2200, 1, 1, tzinfo=UTC)) // 1000
"""The latest one; microseconds taken for milliseconds lie far behind it."""


def believable(log_ms: int) -> int:
    """A log time (ms since 1970) clamped to the possible range, so that it always has a date."""
    return min(max(log_ms, FIRST_LOG_MS), LAST_LOG_MS)
