"""Make text from outside safe for a terminal: control and direction characters are escaped."""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_TURNS = "\u202a-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_CONTROLS}{_TURNS}{_SURROGATES}]")
_BREAKS = re.compile(f"[\t\n\u2028\u2029{_CONTROLS}{_TURNS}{_SURROGATES}]")


def printable(text: str) -> str:
    """The text with control characters spelt out, like `\\x1b`; line ends and tabs stay."""
    return _UNPRINTABLE.sub(_spelt, text)


def one_line(text: str) -> str:
    """The text as part of a line: line ends and tabs are spelt out too."""
    return _BREAKS.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
