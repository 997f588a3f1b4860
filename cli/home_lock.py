"""One `heed up` per home: a lock that lives as long as anything it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import IO

from feedback.errors import HomeInUse
from feedback.settings.paths import HomePaths


@contextlib.contextmanager
def holding_home(paths: HomePaths) -> Iterator[IO[str]]:
    """Hold the home against a second `heed up`; the lock lives as long as anything it started.

    Raises:
        HomeInUse: Another one runs on it.
    """
    paths.run_folder.mkdir(parents=True, exist_ok=True)
    path = paths.run_folder / "up.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise HomeInUse(
                f"`heed up` already runs on {paths.home} (process {holder}); stop it with Ctrl-C there, "
                f"or `kill {holder}`, or use another --home"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock
