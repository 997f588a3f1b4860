"""Which of Beam's runners landing runs on."""

from __future__ import annotations

from feedback.settings.landing import BeamSettings

EMBEDDED = "FnApiRunner"
"""Beam's runner inside this process; named, since Beam's default tries to download another one."""


def is_embedded(settings: BeamSettings) -> bool:
    """Whether landing runs inside this process."""
    return settings.runner == EMBEDDED
