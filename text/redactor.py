"""Redaction inside decoded JSON: texts at any depth, with the name of their field as the words before them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
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

    def text(self, text: str, *, name: str = "") -> str:
        """One text; `name` is the name of its field, which may say what a number is: `phone`, `order_no`."""
        if len(text) < _LEAST_CHARS:
            return text
        words = _HUMP.sub(" ", name).replace("_", " ").replace("-", " ").strip()
        before = f"{words}: " if words else ""
        redacted, counts = redact_text(before + text, types=self._types, region=self._region)
        if not redacted.startswith(before):  # the name itself looks like something
            before = ""
            redacted, counts = redact_text(text, types=self._types, region=self._region)
        self.counts += counts
        return redacted[len(before) :]

    def value(self, value: Any, *, name: str = "") -> Any:  # noqa: ANN401 - any JSON
        """A value as JSON decodes it: a text, a list or an object of such, or anything else, which stays."""
        if isinstance(value, str):
            is_id = _ID_NAME.fullmatch(name) and not _REACHES.search(name)
            return value if is_id else self.text(value, name=name)
        if isinstance(value, list):
            return [self.value(one, name=name) for one in value]
        if isinstance(value, dict):
            return {key: self.value(one, name=key) for key, one in value.items()}
        return value
