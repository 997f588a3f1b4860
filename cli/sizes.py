"""Sizes in words."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB


def size_words(size: int) -> str:
    """A size in bytes as people read it: whole MiB or KiB, else bytes."""
    if size % MIB == 0:
        return f"{size // MIB} MiB"
    return f"{size // KIB} KiB" if size % KIB == 0 else f"{size:,} bytes"
