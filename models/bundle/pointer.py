"""The pointer to the served bundle, as a pure state machine: publish, roll back, release.

Earlier versions are a stack. Publishing, and serving a version that is not in it, push the present one; going back to
one of them pops everything above it. So a version that was rolled back is never gone back to by default.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec


class Hold(msgspec.Struct, frozen=True):
    """A rollback that lasts: until somebody releases it, no run publishes."""

    since: datetime
    """In UTC."""
    instead_of: str
    """The version that served until then."""

    @property
    def reason(self) -> str:
        """Why nothing is published, and what to do about it."""
        return (
            f"judged, not published: a rollback from {self.instead_of} holds since {self.since:%Y-%m-%d %H:%M} UTC; "
            "`heed rollback --release` lets the next run publish again"
        )


class Pointer(msgspec.Struct, frozen=True):
    """Which version is served, which were served before it, the latest last, and whether a rollback holds."""

    version: str
    before: list[str] = []
    hold: Hold | None = None


def published(pointer: Pointer | None, version: str) -> Pointer:
    """A new version serves; the present one is the first to go back to."""
    return Pointer(version, [] if pointer is None else [*pointer.before, pointer.version])


def rolled_back(pointer: Pointer | None, target: str, *, at: datetime) -> Pointer:
    """A version that was published earlier, or later, serves until it is released.

    Args:
        pointer: The present state.
        target: What is to be served; the present version itself is held where it is.
        at: The time, in UTC.
    """
    if pointer is None:
        return Pointer(target, [], Hold(at, target))
    hold = Hold(at, pointer.version)
    if target == pointer.version:
        return Pointer(target, pointer.before, pointer.hold or hold)
    if target in pointer.before:
        return Pointer(target, pointer.before[: pointer.before.index(target)], hold)
    return Pointer(target, [*pointer.before, pointer.version], hold)


def released(pointer: Pointer) -> Pointer:
    """Runs may publish again; what serves goes on until one does."""
    return Pointer(pointer.version, pointer.before)


def existing(pointer: Pointer, versions: Collection[str]) -> Pointer:
    """Without those before that are no longer on disk."""
    return Pointer(pointer.version, [version for version in pointer.before if version in versions], pointer.hold)
