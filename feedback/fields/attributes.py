"""Attributes: fields that the contract does not know, kept together with the `attributes` that the sender sent.

No value overwrites another: where two have one name, the later one gets a suffix. Key order carries no
meaning in JSON, so that objects are kept with their keys sorted, and two orders of one object are one content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

CLASH_SUFFIX: Final = "@line"
"""Added to the name of an unknown field where an attribute of that name, with another value, is there already."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def add_unknown(held: dict[str, Any], unknown: Mapping[str, Any]) -> bool:
    """Add unknown fields to attributes, keeping both where a name is taken; returns whether any name was.

    Values may be parsed JSON or `msgspec.Raw`. An equal value under the same name is the same statement, kept once.
    """
    clashed = False
    for field, value in unknown.items():
        name = field
        while name in held and _encode(held[name]) != _encode(value):
            name, clashed = name + CLASH_SUFFIX, True
        held[name] = value
    return clashed


def sorted_keys(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON with sorted keys at every depth; values without objects are returned unchanged."""
    if isinstance(value, dict):
        return {name: sorted_keys(value[name]) for name in sorted(value)}
    if isinstance(value, list) and any(isinstance(member, dict | list) for member in value):
        return [sorted_keys(member) for member in value]
    return value
