"""Pseudonyms: the keyed digest that replaces a person's raw id in everything that is stored."""

from __future__ import annotations

import hmac
import os
import secrets
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from feedback.errors import HomeError

KEY_BYTES = 32
SUBJECT_LENGTH = 32
"""Hexadecimal characters: 128 bits of HMAC-SHA256, so that two people never share a pseudonym by chance."""

IdentityKind = Literal["user", "anonymous"]
USER: Final[IdentityKind] = "user"
ANONYMOUS: Final[IdentityKind] = "anonymous"


class Pseudonyms:
    """Turns raw ids into subjects with one secret key."""

    def __init__(self, key: bytes) -> None:
        self._template = hmac.new(key, digestmod="sha256")
        self._cached = lru_cache(maxsize=65_536)(self._composed_digest)

    def subject_of(self, raw_id: str, identity: IdentityKind = "user") -> str:
        """The subject of a raw id: HMAC-SHA256, first 128 bits, hexadecimal.

        User ids and anonymous ids live in separate spaces, so that nobody can take on another's by guessing it.
        """
        return self._cached(raw_id, identity)

    def former_subject_of(self, raw_id: str, identity: IdentityKind = "user") -> str | None:
        """The subject that earlier releases gave this raw id, where it is another one.

        They hashed the bytes as sent, so that one name in two spellings (`é` as one character, or as `e` and an
        accent) was two people. Now a raw id is hashed in Unicode's composed form (NFC).
        """
        if raw_id.isascii() or unicodedata.is_normalized("NFC", raw_id):
            return None
        return self._digest(raw_id, identity)

    def _composed_digest(self, raw_id: str, identity: IdentityKind) -> str:
        return self._digest(raw_id if raw_id.isascii() else unicodedata.normalize("NFC", raw_id), identity)

    def _digest(self, raw_id: str, identity: IdentityKind) -> str:
        digest = self._template.copy()
        digest.update(f"{identity}\0{raw_id}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:SUBJECT_LENGTH]


def load_or_create_key(path: Path) -> bytes:
    """Read the key file, or make it on first use with mode 0600; safe when several processes start at once.

    Raises:
        HomeError: The file cannot be read or made, or does not hold a key.
    """
    try:
        if not path.exists():
            _create_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise HomeError(f"key file {path}: {error.strerror}; it must be readable by this user alone") from error
    except ValueError as error:
        raise HomeError(f"key file {path} does not hold a hexadecimal key; restore it from a backup") from error
    if len(key) < KEY_BYTES:
        raise HomeError(f"key file {path} holds {len(key)} bytes, {KEY_BYTES} are needed; restore it from a backup")
    return key


def fingerprint_of(key: bytes) -> int:
    """A number from 1 to 2**62 that names a key without telling it."""
    digest = hmac.new(key, b"heed: fingerprint of the subject key", "sha256").digest()
    return int.from_bytes(digest[:8], "big") % (1 << 62) + 1


def _create_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename, it never replaces the key that another process made first
    except FileExistsError:
        pass
    finally:
        draft.unlink()
