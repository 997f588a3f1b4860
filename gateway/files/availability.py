"""Whether an item is available, from the words and numbers of shop systems."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"[^a-z0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_YES = _words(
    "true t yes y on instock available active enabled published live availablefororder instoreonly onlineonly "
    "limitedavailability limitedstock lowstock fewleft preorder presale backorder madetoorder"
)
"""Items that can be ordered now, also as a preorder, are available."""
_NO = _words(
    "false f no n off outofstock soldout notinstock notavailable unavailable inactive disabled discontinued archived "
    "deleted draft unpublished reserved"
)


def availability_of(raw: object) -> bool | None:
    """True or False for the usual words and for a number in stock (more than 0 is available); else None.

    `in stock`, `in_stock`, `InStock` and `https://schema.org/InStock` are one word.
    """
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int | float):
        return raw > 0 if raw == raw else None
    if not isinstance(raw, str):
        return None
    text = raw.strip()
    try:
        number = float(text)
    except ValueError:
        word = _SIGNS.sub("", text.rsplit("/", 1)[-1].lower() if "://" in text else text.lower())
        return True if word in _YES else False if word in _NO else None
    return number > 0 if number == number and "_" not in text else None
