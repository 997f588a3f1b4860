"""The types of personal data and secrets that redaction knows, and the mark that stands in their place."""

from __future__ import annotations

from enum import StrEnum


class Sensitive(StrEnum):
    """A type of text that is replaced by its mark."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    TOKEN = "token"

    @property
    def mark(self) -> str:
        """What the text reads instead, for example `[email]`."""
        return f"[{self.value}]"


ALL_TYPES: frozenset[Sensitive] = frozenset(Sensitive)

ZERO_WIDTH = "\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad"
"""Characters without width, for a character class: numbers copied from an address book bring bidi marks along."""

SPACES = " \u00a0\u2000-\u200a\u202f\u3000"
"""Blanks within a line, for a character class."""

DASHES = "\\-\u2010-\u2015\u2212\uff0d"
"""Hyphens and dashes, for a character class."""

DIGITS = str.maketrans({chr(code): str(int(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()})
"""Decimal digits of every script to ASCII, for `str.translate`."""
