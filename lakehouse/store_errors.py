"""Errors of stores in one line, and which of them pass with a retry."""

from __future__ import annotations

import re

_DRAWING = re.compile(r"\x1b\[[0-9;]*m|[↳└├│─]")


def plain(error: BaseException) -> str:
    """An error's words in one line: stores draw theirs as coloured trees."""
    return " ".join(_DRAWING.sub("", str(error)).split())


def is_torn_listing(error: Exception) -> bool:
    """Whether a log folder was listed while commits were added: one is missing, a later one is there.

    Listing a local folder is not atomic. Seen once in 10,000 commits with maintenance beside them; looking again
    mends it.
    """
    return "Expected contiguous commit files" in str(error)
