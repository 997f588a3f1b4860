"""One loop at a time on one home: an advisory file lock that dies with the process that holds it.

Dagster's pools keep two runs from writing one table at once, and its run queue keeps two daemon-started loops apart;
neither sees a loop that was started headless in another process. The lock does.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.errors import HomeError, HomeInUse

POLL_SECONDS = 0.5

_held: dict[Path, str] = {}
_guard = threading.Lock()


def lock_file(run_folder: Path) -> Path:
    """The lock of a home's loop."""
    return run_folder / "loop.lock"


@contextmanager
def holding(run_folder: Path, *, owner: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the home's loop lock; entering again with the same owner (a run's id) in the same process is free.

    Args:
        run_folder: The home's folder of process files.
        owner: The id of the run that wants it.
        wait_seconds: How long to wait while another loop holds it.

    Raises:
        HomeInUse: Another loop holds the lock.
    """
    path = lock_file(run_folder)
    with _guard:
        again = _held.get(path) == owner
    if again:
        yield
        return
    descriptor = _acquire(path, owner, wait_seconds=wait_seconds)
    with _guard:
        _held[path] = owner
    try:
        yield
    finally:
        with _guard:
            _held.pop(path, None)
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def holder(run_folder: Path) -> str | None:
    """Who holds the lock, in words; `None` where nobody does."""
    path = lock_file(run_folder)
    if not path.exists():
        return None
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _try(descriptor) else _note(path)
    finally:
        os.close(descriptor)


def _acquire(path: Path, owner: str, *, wait_seconds: float) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(f"lock file {path} cannot be opened: {error.strerror}") from error
    deadline = time.monotonic() + wait_seconds
    while not _try(descriptor):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            raise HomeInUse(f"another loop runs on {path.parent.parent} ({_note(path)}); wait until it has ended")
        time.sleep(POLL_SECONDS)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"run {owner}, process {os.getpid()}".encode(), 0)
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(path: Path) -> str:
    return path.read_text(encoding="utf-8") or "its owner is not known"
