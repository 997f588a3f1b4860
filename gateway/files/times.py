"""Convert times in files to UTC: ISO text, unix times, dates in digits, Arrow's and Python's types.

A number is taken for a unix time only where it lies between 1980 and 2100 in seconds, milliseconds, microseconds or
nanoseconds; these four ranges do not meet. 20240131 is a date, 45322 may be an Excel day and is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_SECOND = 315_532_800
"""1980-01-01T00:00:00Z: the earliest moment that a bare number may mean."""
LAST_SECOND = 4_102_444_800
"""2100-01-01T00:00:00Z: the first moment that a bare number may no longer mean."""
MAX_DIGITS = 32
"""Most digits of a number that is read as a time; Python would read longer ones as a compact ISO time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
_DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EXCEL_DAYS = (20_000, 80_000)
_SLASHED = re.compile(r"^\d{1,2}([/.])\d{1,2}\1\d{2,4}\b")
_YEAR_FIRST = re.compile(r"^(\d{4})/(\d{1,2})/(\d{1,2})(?=$|[ T])")
_ZONE_WORD = re.compile(r"\s*(?:UTC|GMT)$")


class NoTime(ValueError):
    """Raised when a cell holds no time that can be told for certain; the message says why and what would be right."""


def time_of(raw: object, *, form: str | None = None) -> datetime:
    """The moment that a cell holds; without a zone it is UTC, finer than microseconds it is cut.

    Args:
        raw: Text, a number, or a date or time of Python.
        form: How text is written, as `strptime` names it, like `%d.%m.%Y %H:%M`; for what is not ISO.

    Raises:
        NoTime: It is none, or can be read in more than one way.
    """
    if isinstance(raw, str):
        text = raw.strip()
        if form is not None:
            return _by_form(text, form)
        if text.isascii() and text.isdigit():
            return _number(int(text)) if len(text) <= MAX_DIGITS else _no_time(text)
        return _text(text)
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise NoTime(f"a {type(raw).__name__} is no time; write ISO, like 2026-01-31T09:30:00Z, or unix seconds")
    return _number(raw)


def _text(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _other_text(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _other_text(text: str) -> datetime:
    """Text that is no plain ISO time but can be read in one way only."""
    try:
        return _number(float(text))
    except NoTime:
        raise
    except ValueError:
        pass
    if _SLASHED.match(text):
        raise NoTime(
            f"{text[:40]!r} can be read in more than one way; say how it is written with --time-format, "
            "like '%d/%m/%Y' or '%m/%d/%Y %H:%M'"
        )
    plain = _YEAR_FIRST.sub(lambda found: "-".join(part.zfill(2) for part in found.groups()), text)
    try:
        return datetime.fromisoformat(_ZONE_WORD.sub("+00:00", plain))
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text) if text[:1].isalpha() else _no_time(text)
    except (ValueError, TypeError, IndexError):
        return _no_time(text)


def _no_time(text: str) -> datetime:
    raise NoTime(
        f"{text[:40]!r} is no time; write ISO, like 2026-01-31T09:30:00Z, or unix seconds, or give --time-format"
    )


def _by_form(text: str, form: str) -> datetime:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 - a form may name the zone
    except ValueError as error:
        raise NoTime(f"{text[:40]!r} is not written as --time-format {form!r} says") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(number: float) -> datetime:
    for per_second in _UNITS:
        if FIRST_SECOND * per_second <= number < LAST_SECOND * per_second:
            whole = int(number)
            micros = whole * 1_000_000 // per_second
            if whole != number:
                micros += round((number - whole) * 1_000_000 / per_second)
            return _EPOCH + timedelta(microseconds=micros)
    return _date_in_digits(number)


def _date_in_digits(number: float) -> datetime:
    digits = f"{number:.15g}" if isinstance(number, float) else str(number)
    form = _DIGITS.get(len(digits))
    if form is not None and digits[:2] in ("19", "20"):
        try:
            return datetime.strptime(digits, form).replace(tzinfo=UTC)
        except ValueError:
            pass
    if _EXCEL_DAYS[0] <= number < _EXCEL_DAYS[1]:
        raise NoTime(f"{digits[:40]} looks like a day number of a spreadsheet; export the column as a date, like ISO")
    raise NoTime(
        f"{digits[:40]} is no plausible unix time (1980 to 2100 in seconds, ms, µs or ns) and no date "
        "like 20260131; write ISO, like 2026-01-31T09:30:00Z"
    )
