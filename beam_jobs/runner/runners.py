"""Which of Beam's runners landing runs on."""

from __future__ import annotations

from feedback.settings.home import Settings

EMBEDDED = "FnApiRunner"
"""Beam's runner inside this process; named, since Beam's default tries to download another one."""


def is_embedded(settings: Settings) -> bool:
    """Whether landing runs inside this process."""
    return settings.beam.runner == EMBEDDED
