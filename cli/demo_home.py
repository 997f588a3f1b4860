"""The demo's home, made afresh each time, and why it is for this machine only: its pseudonym key is public."""

from __future__ import annotations

import ipaddress
import shutil
from pathlib import Path

from cli.home_lock import holding_home
from feedback.errors import HomeError, PublicKey
from feedback.settings import Settings, ensure_home, load_settings

MARKER = ".heed-demo"
KEPT = ("cache", MARKER)
PUBLIC_KEY = "00" * 31 + "2a"
"""Public data needs no secret, and a fixed key gives the same figures on every repeat."""
WARNING = (
    "This home is the demo's: the key of its pseudonyms is public, anybody can tell whose they are. "
    "Keep it on this machine, and your own customers' data in another home."
)


def fresh_home(home: Path) -> Settings:
    """Make the demo's home afresh; downloads are kept.

    Raises:
        HomeError: The folder holds something that no demo put there.
        HomeInUse: `heed up` runs on it.
    """
    if home.exists() and any(home.iterdir()) and not (home / MARKER).exists():
        raise HomeError(f"{home} is not empty and was not made by a demo; choose another folder with --home DIR")
    ensure_home(load_settings(home))
    with holding_home(load_settings(home)):
        for path in home.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (home / MARKER).touch()
    settings = load_settings(home, spark_memory="2g")
    key_file = settings.subject_key_file
    key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file.touch(mode=0o600)
    key_file.write_text(PUBLIC_KEY, encoding="ascii")
    return settings


def has_public_key(settings: Settings) -> bool:
    """Whether the pseudonyms of a home are made with the demo's key."""
    try:
        key = settings.subject_key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):  # who needs the key says what is wrong with it
        return False
    return key.lower() == PUBLIC_KEY


def refuse_public_key(settings: Settings) -> None:
    """Refuse to serve a home with the demo's key to other machines.

    Raises:
        PublicKey: The home has that key, and the host is not loopback.
    """
    if has_public_key(settings) and not is_loopback(settings.host):
        raise PublicKey(
            f"{settings.home} was made by the demo and its pseudonym key is public: it is not served on "
            f"{settings.host}, beyond this machine; use --host 127.0.0.1, or a home of your own with --home DIR"
        )


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
