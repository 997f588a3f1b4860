"""Memory of a landing process: the garbage collector's threshold, and when the allocator gives memory back."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

COLLECT_AFTER_OBJECTS = 50_000
M_ARENA_MAX, ARENAS = -8, 2
"""Heaps of glibc's allocator; by default a landing's threads spread over eight for each core, and none uses what
another has freed."""
M_MMAP_THRESHOLD, MMAP_BYTES = -3, 1 << 20
"""From this size on memory is asked of the system and given back to it when it is free. By default the size rises with
what is freed, and columns of many megabytes leave holes in the heaps: 200 MiB behind a long backlog."""


def give_back_memory() -> None:
    """Return free memory to the system, as far as allocators can: each pipeline's threads leave pieces behind."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    _glibc("malloc_trim", 0)


def keep_heaps_small() -> None:
    """Limit glibc to a few heaps and allocate large columns with mmap; for the whole process."""
    _glibc("mallopt", M_ARENA_MAX, ARENAS)
    _glibc("mallopt", M_MMAP_THRESHOLD, MMAP_BYTES)


def _glibc(function: str, *arguments: int) -> None:
    """Call a function that only glibc has; elsewhere do nothing."""
    found = getattr(ctypes.CDLL(None), function, None)
    if found is not None:
        found(*arguments)


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Raise the garbage collector's threshold while landing, and exclude objects that exist already.

    By default it scans tens of thousands of short-lived objects per batch (6 % of a drain).
    """
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
