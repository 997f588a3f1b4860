"""Raw ids as people send them: numbers, blank text, and words that stand for no id at all.

`null`, `undefined`, `NaN` or `[object Object]` as `user_id` are not one busy person but many unknown ones. Admission
refuses them as `no_subject`; the setting `accept_placeholder_ids` takes them for ids, as earlier releases did.
"""

from __future__ import annotations

from typing import Any, Final

PLACEHOLDER_WORDS: Final = frozenset(
    {
        "null", "(null)", "<null>", "undefined", "none", "nil", "nan", "-nan", "n/a", "#n/a", "<na>", "nat",
        "\\n", "[object object]",
    }
)  # fmt: skip
"""In lower case; `is_placeholder` compares without regard to case and to white space around the word."""
EXACT_PLACEHOLDERS: Final = frozenset({"NA"})
"""Words that are placeholders in this spelling only; `Na` is a surname."""

_LONGEST = max(map(len, PLACEHOLDER_WORDS))
_EXACT_IN_FLOATS = 1 << 53


def is_placeholder(text: str) -> bool:
    """Return True for a word that stands for a missing id, like `NULL`, `nan` or `undefined`; blank text is none."""
    if text.isdigit():
        return False
    word = text.strip()
    return len(word) <= _LONGEST and (word in EXACT_PLACEHOLDERS or word.lower() in PLACEHOLDER_WORDS)


def id_text(value: Any) -> Any:  # noqa: ANN401 - whatever the sender wrote
    """The text of an id that came as a whole number: 42 and 42.0 (a column with gaps in pandas) are "42".

    Everything else comes back as it is, for the contract to judge: true is no id, and 42.5 is none.
    """
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < _EXACT_IN_FLOATS:
        return str(int(value))
    return [id_text(member) for member in value] if type(value) is list else value
