"""Advisory file locks: one holder at a time, and the lock dies with the processes that hold it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.errors import HeedError, LakeError, MaintenanceBusy

POLL_SECONDS = 0.05


@contextmanager
def locked(
    path: Path, *, what: str, owner: str, wait_seconds: float = 0.0, busy: type[HeedError] = MaintenanceBusy
) -> Iterator[int]:
    """Hold a lock file; yields its descriptor. A child process that inherits it keeps the lock.

    Args:
        path: The lock file, made on first use.
        what: What it guards, for the refusal.
        owner: Who takes it, for the refusal that others get.
        wait_seconds: How long to wait while somebody else holds it.
        busy: The error to raise where the lock is taken.

    Raises:
        MaintenanceBusy: Somebody else holds it; or what `busy` names.
        LakeError: The file cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LakeError(f"lock file {path} cannot be opened: {error.strerror}") from error
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try(descriptor):
            if time.monotonic() >= deadline:
                holder = _note(descriptor)
                raise busy(f"{what} is busy: {holder}, holds {path}; wait until it has ended, or stop it")
            time.sleep(POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{owner}, process {os.getpid()}".encode(), 0)
        try:
            yield descriptor
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> str | None:
    """Who holds a lock file, in words; `None` where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _try(descriptor) else _note(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode(errors="replace") or "somebody who is not known"
