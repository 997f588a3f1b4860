"""Redaction inside decoded JSON: texts at any depth, with the name of their field as the words before them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from text.redaction import redact_text
from text.sensitive import ALL_TYPES, Sensitive

_ID_NAME = re.compile(
    r"(?:.*[_.-])?(?:ids?|uuid|guid|sku|gtin|ean|isbn|asin)|.*[a-z0-9](?:Ids?|ID|UUID|SKU)", re.DOTALL
)
_REACHES = re.compile(r"mail|phone|mobile|whatsapp|fax|iban|card", re.IGNORECASE)
"""Names such as `email_id` are of what reaches or charges a person, whatever they end with."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LEAST_CHARS = 5
"""No shorter text holds anything; the shortest is an address such as `a@b.c`."""


class Redactor:
    """Redacts values and adds up what it replaced; numbers, names of fields and ids stay as they are."""

    def __init__(self, types: Collection[Sensitive] = ALL_TYPES, *, region: str | None = None) -> None:
        self._types = types
        self._region = region
        self.counts: Counter[Sensitive] = Counter()

    def text(self, text: str, *, name: str = "", at_most: int | None = None) -> str:
        """One text.

        Args:
            text: What somebody wrote.
            name: The name of its field, which may say what a number is: `phone`, `order_no`.
            at_most: How many characters its field may have. A mark may be longer than what it replaces, so a text that
                had its length is cut to it again.
        """
        if len(text) < _LEAST_CHARS:
            return text
        words = _HUMP.sub(" ", name).replace("_", " ").replace("-", " ").strip()
        before = f"{words}: " if words else ""
        redacted, counts = redact_text(before + text, types=self._types, region=self._region)
        if not redacted.startswith(before):  # the name itself looks like something
            before = ""
            redacted, counts = redact_text(text, types=self._types, region=self._region)
        self.counts += counts
        redacted = redacted[len(before) :]
        return redacted[:at_most] if at_most is not None and len(text) <= at_most else redacted

    def value(self, value: Any, *, name: str = "", at_most: int | None = None) -> Any:  # noqa: ANN401 - any JSON
        """A value as JSON decodes it: a text, or a list or an object, which is changed in place, at any depth.

        Anything else stays. `name` and `at_most` are those of `text`.
        """
        if isinstance(value, str):
            return self._member(value, name, at_most)
        waiting = [(value, name)]
        while waiting:  # no recursion: what a parser can read may be nested more deeply than functions can call
            holder, its_name = waiting.pop()
            for key, one in _members(holder):
                named = key if isinstance(key, str) else its_name
                if isinstance(one, str):
                    holder[key] = self._member(one, named, at_most)
                else:
                    waiting.append((one, named))
        return value

    def _member(self, text: str, name: str, at_most: int | None) -> str:
        is_id = _ID_NAME.fullmatch(name) and not _REACHES.search(name)
        return text if is_id else self.text(text, name=name, at_most=at_most)


def _members(value: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """The names or places of an object's or a list's members, and the members."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()
