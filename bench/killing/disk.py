"""A disk that can be filled: a small tmpfs under the lake where mounting is allowed, else a limit on file sizes."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.processes import Child

TMPFS_MB = 1024
FILL_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 4096
LIMIT_BYTES = 4096
"""Smaller than any data file of landing."""


class Disk(Protocol):
    """Where the lake lies."""

    def fill(self, workers: Iterable[Child]) -> None:
        """Leave no room."""
        ...

    def free(self, workers: Iterable[Child]) -> None:
        """Give the room back."""
        ...


class TmpfsDisk:
    """A small file system, filled by one large file."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / ".filler"

    def fill(self, workers: Iterable[Child]) -> None:
        """Write until there is no byte left."""
        del workers
        piece, size = FILL_BYTES, 0
        with self._filler.open("wb") as file:
            while piece >= PAGE_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), size, piece)
                    size += piece
                except OSError:  # no space for so much; other processes use and free space meanwhile
                    piece //= 2

    def free(self, workers: Iterable[Child]) -> None:
        """Remove the large file."""
        del workers
        self._filler.unlink(missing_ok=True)


class FileSizeLimit:
    """Without root: a file-size limit on the live workers, as with a quota."""

    def fill(self, workers: Iterable[Child]) -> None:
        """Lower the limit."""
        self._limit(workers, LIMIT_BYTES)

    def free(self, workers: Iterable[Child]) -> None:
        """Lift the limit."""
        self._limit(workers, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(workers: Iterable[Child], size: int) -> None:
        for worker in workers:
            if worker.alive:
                resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Make a folder a disk that can be filled."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={TMPFS_MB}m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        yield FileSizeLimit()
        return
    try:
        yield TmpfsDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
