"""One loop at a time on one home.

Dagster's pools keep two runs from writing one table at once, and its run queue keeps two daemon-started loops apart;
neither sees a loop that was started headless in another process. A lock file does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.errors import HomeInUse
from lakehouse.file_lock import holder_of, locked

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
        LakeError: The lock file cannot be opened.
    """
    path = lock_file(run_folder)
    with _guard:
        again = _held.get(path) == owner
    if again:
        yield
        return
    what = f"the loop of {run_folder.parent}"
    with locked(path, what=what, owner=f"run {owner}", wait_seconds=wait_seconds, busy=HomeInUse):
        with _guard:
            _held[path] = owner
        try:
            yield
        finally:
            with _guard:
                _held.pop(path, None)


def holder(run_folder: Path) -> str | None:
    """Who holds the lock, in words; `None` where nobody does."""
    return holder_of(lock_file(run_folder))
