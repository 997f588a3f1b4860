"""API keys: scoped, hashed at rest, checked in constant time."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from feedback.errors import HomeError, UsageError

KeyScope = Literal["feedback:write", "recommendations:read", "admin"]
KEY_SCOPES: tuple[KeyScope, ...] = ("feedback:write", "recommendations:read", "admin")
PREFIX = "heed_"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored: its name, scopes and SHA-256 (a key has 256 random bits, so no salt is needed)."""

    name: str
    digest: str
    scopes: tuple[KeyScope, ...]
    created_at: datetime

    def allows(self, scope: KeyScope) -> bool:
        """Whether the key may do what the scope names; `admin` may do all."""
        return scope in self.scopes or "admin" in self.scopes


class ApiKeys:
    """The key file of a home."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded: tuple[ApiKey, ...] = ()
        self._stamp: tuple[int, int] | None = None

    def create(self, name: str, scopes: tuple[KeyScope, ...], *, now: datetime) -> str:
        """Make a key and return its secret, which is kept nowhere.

        Raises:
            UsageError: The name is taken or a scope is unknown.
        """
        unknown = sorted(set(scopes) - set(KEY_SCOPES))
        if unknown or not scopes:
            raise UsageError(f"scopes {unknown or 'none'}: use one or more of {', '.join(KEY_SCOPES)}")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self._locked():
            keys = self.all()
            if any(key.name == name for key in keys):
                raise UsageError(f"an API key named {name!r} exists; revoke it first or choose another name")
            key = ApiKey(name=name, digest=_digest(secret), scopes=scopes, created_at=now)
            self._save((*keys, key))
        return secret

    def revoke(self, name: str) -> None:
        """Remove a key by name.

        Raises:
            UsageError: There is none of that name.
        """
        with self._locked():
            keys = self.all()
            kept = tuple(key for key in keys if key.name != name)
            if len(kept) == len(keys):
                raise UsageError(
                    f"no API key is named {name!r}; there are: {', '.join(k.name for k in keys) or 'none'}"
                )
            self._save(kept)

    def find(self, secret: str) -> ApiKey | None:
        """The key that a secret belongs to; compares every stored key, so that the time reveals nothing."""
        digest = _digest(secret)
        found = None
        for key in self.all():
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, read again only when the file has changed."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._loaded, self._stamp = (), None
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            try:
                self._loaded = tuple(msgspec.json.decode(self._path.read_bytes(), type=list[ApiKey]))
            except (msgspec.DecodeError, OSError) as error:
                raise HomeError(f"API key file {self._path} cannot be read: {error}") from error
            self._stamp = stamp
        return self._loaded

    def _save(self, keys: tuple[ApiKey, ...]) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(keys))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file against other processes that make or revoke keys."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise HomeError(f"API key file {self._path} cannot be written: {error.strerror}") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
