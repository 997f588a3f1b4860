"""Redaction: replace personal data and secrets in what customers write by marks such as `[email]`.

A cheap search over the whole column picks texts that may hold something; only those are looked at one by one. Marks
hold nothing that is replaced, and texts that changed are looked at again, so a second redaction changes nothing.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from text.digit_runs import SEPARATORS
from text.emails import redact_emails
from text.numbers import redact_numbers
from text.payment import redact_ibans
from text.sensitive import ALL_TYPES, Sensitive
from text.url_tokens import redact_url_tokens

VERSION = 1
"""Goes up with every change that redacts something else; stored with each row."""

MOST_PASSES = 4
"""A mark can part what stood together, so a changed text is looked at again; nearly always that is the last pass."""

_MAY_HOLD: Mapping[Sensitive, tuple[str, ...]] = {
    Sensitive.EMAIL: (
        r"[@\x{ff20}]\s{0,2}\w[^\s@]*[.\x{ff0e}\x{3002}]",
        r"%40",
        r"&#64;",
        r"[\[({<]\s?(?i:at)\s?[\])}>]",
        r"(?i:dot)",
    ),
    **dict.fromkeys((Sensitive.PHONE, Sensitive.CARD, Sensitive.IBAN), (rf"\d(?:[{SEPARATORS}]{{0,4}}\d){{6}}",)),
    Sensitive.TOKEN: (r"[?&#;][\w.-]{1,40}(?:=|%3[Dd])", r"://[^\s/]*@", r"/[\w.~=%+-]{16}", r"eyJ[\w-]{8}"),
}
"""What every text of a type holds; most texts hold none of it."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A redacted column, and how many of each type were replaced."""

    texts: pl.Series
    counts: Mapping[Sensitive, int]


def redact_text(
    text: str, *, types: Collection[Sensitive] = ALL_TYPES, region: str | None = None
) -> tuple[str, Counter[Sensitive]]:
    """Redact one text; returns it and how many of each type were replaced.

    Args:
        text: What somebody wrote; any text is allowed.
        types: What to replace.
        region: The writer's country (ISO 3166-1 alpha-2), where it is known; numbers without a country's code are
            recognised better with it.
    """
    counts: Counter[Sensitive] = Counter()
    for _ in range(MOST_PASSES):
        text, found = _one_pass(text, types, region)
        if not found:
            break
        counts += found
    return text, counts


def redact_column(
    texts: pl.Series, *, types: Collection[Sensitive] = ALL_TYPES, regions: pl.Series | None = None
) -> Redacted:
    """Redact a column of texts; null stays null.

    Args:
        texts: Of strings.
        types: What to replace.
        regions: The writers' countries, as long as `texts`; null where unknown.
    """
    counts: Counter[Sensitive] = Counter()
    if not types or texts.null_count() == len(texts):
        return Redacted(texts, counts)
    rows = may_hold(texts, types).arg_true()
    if not len(rows):
        return Redacted(texts, counts)
    written = texts.gather(rows)
    countries: Iterable[str | None] = regions.gather(rows) if regions is not None else [None] * len(rows)
    redacted = []
    for text, region in zip(written, countries, strict=True):
        clean, found = redact_text(text, types=types, region=region)
        redacted.append(clean)
        counts += found
    if counts:
        texts = texts.clone().scatter(rows, pl.Series(redacted, dtype=pl.String))  # it changes the series itself
    return Redacted(texts, counts)


def may_hold(texts: pl.Series, types: Collection[Sensitive]) -> pl.Series:
    """Which texts may hold something of these types: all that do, and few others."""
    patterns = dict.fromkeys(pattern for kind in Sensitive if kind in types for pattern in _MAY_HOLD[kind])
    found = [texts.str.contains(pattern) for pattern in patterns]  # ten times as fast as one pattern of them all
    return functools.reduce(operator.or_, found)


def _one_pass(text: str, types: Collection[Sensitive], region: str | None) -> tuple[str, Counter[Sensitive]]:
    """Secrets first, then addresses, then numbers: the earlier may hold the later."""
    counts: Counter[Sensitive] = Counter()
    if Sensitive.TOKEN in types:
        text, counts[Sensitive.TOKEN] = redact_url_tokens(text)
    if Sensitive.EMAIL in types:
        text, counts[Sensitive.EMAIL] = redact_emails(text)
    if Sensitive.IBAN in types:
        text, counts[Sensitive.IBAN] = redact_ibans(text)
    if Sensitive.CARD in types or Sensitive.PHONE in types:
        text, numbers = redact_numbers(text, types, region=region)
        counts += numbers
    return text, +counts
