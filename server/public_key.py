"""A home whose pseudonym key is public, as the demo's is, is served to this machine only."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from feedback.errors import PublicKey
from feedback.settings.home import Settings

PUBLIC_KEY = "00" * 31 + "2a"
"""Public data needs no secret, and a fixed key gives the same figures on every repeat."""
WARNING = (
    "This home is the demo's: the key of its pseudonyms is public, anybody can tell whose they are. "
    "Keep it on this machine, and your own customers' data in another home."
)


def has_public_key(key_file: Path) -> bool:
    """Whether the pseudonyms of a home are made with the demo's key."""
    try:
        key = key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):  # whoever needs the key reports the error
        return False
    return key.lower() == PUBLIC_KEY


def refuse_public_key(settings: Settings) -> None:
    """Refuse to serve a home with the demo's key to other machines.

    Raises:
        PublicKey: The home has that key, and the host is not loopback.
    """
    if has_public_key(settings.paths.subject_key_file) and not is_loopback(settings.http.host):
        raise PublicKey(
            f"{settings.home} was made by the demo and its pseudonym key is public: it is not served on "
            f"{settings.http.host}, beyond this machine; use --host 127.0.0.1, or a home of your own with --home DIR"
        )


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
