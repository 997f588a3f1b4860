"""Fields of settings: the types that they share, and what a field says about itself."""

from __future__ import annotations

from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
PositiveSeconds = Annotated[float, msgspec.Meta(gt=0)]


def says(what: str, why: str, *, default: str = "") -> msgspec.Meta:
    """Describe a setting for docs/settings.md.

    Args:
        what: What it does.
        why: Why one would change it.
        default: What an empty value stands for.
    """
    return msgspec.Meta(description=what, extra={"why": why, "default": default})
