"""Options that hold pairs: `field=column`, several in one option or one in each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feedback.errors import UsageError

_NAME = re.compile(r"^\s*[A-Za-z_]+\s*$")


def pairs_of_maps(texts: Sequence[str]) -> dict[str, str]:
    """`--map` options as field -> column.

    A comma separates two pairs where a name and `=` follow it; any other comma belongs to the column's name.

    Raises:
        UsageError: A pair lacks a side, or a field is named twice.
    """
    words: list[str] = []
    for text in texts:
        own: list[str] = []
        for part in text.split(","):
            name, equals, _ = part.partition("=")
            if own and not (equals and _NAME.match(name)):
                own[-1] = f"{own[-1]},{part}"
            else:
                own.append(part)
        words += own
    return pairs_of("--map", words, "field=column, like user_id=userId")


def pairs_of(option: str, words: Sequence[str], form: str) -> dict[str, str]:
    """`name=value` words as a dictionary.

    Raises:
        UsageError: A pair lacks a side, or a name is given twice.
    """
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"{option} {word!r}: write {form}")
        if pairs.get(name, value) != value:
            raise UsageError(f"{option} {name}=…: given twice, as {pairs[name]!r} and as {value!r}; leave one out")
        pairs[name] = value
    return pairs


def limit_of(text: str, rows: int) -> int:
    """`--max-refused` as a number of rows: `10`, or a share of all rows like `1%`.

    Raises:
        UsageError: It is neither.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    if found is None:
        raise UsageError(f"--max-refused {text!r}: write a number of rows, like 10, or a share, like 1%")
    return int(float(found.group(1)) * (rows / 100 if found.group(2) else 1))
