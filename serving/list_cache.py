"""A cache of encoded lists; the least recently used are evicted first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

CACHED_BYTES = 64 * 1024 * 1024
"""Memory of all kept lists together, whatever their lengths and whatever they were made from."""

ENTRY_BYTES = 512
"""Bytes of an entry beyond its body: objects, key and dictionary slot (up to 485 were measured)."""

DIGEST_BYTES = 16

Place = tuple[int, int, int]
"""Partition, offset and index of an event in the log."""


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a list depends on: the same bundle, consent and events give the same list."""

    bundle: str
    personal: bool
    subjects: tuple[str, ...]
    """Those that are linked with the one asked for, itself first."""
    events: bytes
    """`digest` of the places of the events: a person may have a thousand."""
    crowd: bool = False
    """Whether more subjects are linked than a list looks at."""


@dataclass(frozen=True, slots=True)
class MadeList:
    """A list as JSON, what it was made from, and the online store's stamp at which that was last known to hold."""

    made_from: MadeFrom
    stamp: int
    body: bytes

    @property
    def nbytes(self) -> int:
        """What it takes in memory while it is kept."""
        return ENTRY_BYTES + len(self.body)


class ListCache:
    """Made lists by subject and length; for one thread."""

    def __init__(self, *, max_bytes: int = CACHED_BYTES) -> None:
        self._lists: OrderedDict[tuple[str, int], MadeList] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, subject: str, n: int) -> MadeList | None:
        """The kept list of a subject, which may be out of date."""
        key = (subject, n)
        found = self._lists.get(key)
        if found is not None:
            self._lists.move_to_end(key)
        return found

    def put(self, subject: str, n: int, made: MadeList) -> None:
        """Keep a list, and evict the least recently used ones."""
        key = (subject, n)
        replaced = self._lists.get(key)
        self._bytes += made.nbytes - (0 if replaced is None else replaced.nbytes)
        self._lists[key] = made
        self._lists.move_to_end(key)
        while self._bytes > self._max_bytes and len(self._lists) > 1:
            _, forgotten = self._lists.popitem(last=False)
            self._bytes -= forgotten.nbytes

    def __len__(self) -> int:
        return len(self._lists)


def digest(places: Iterable[Place]) -> bytes:
    """A digest of the coordinates of events."""
    return hashlib.blake2b(msgspec.msgpack.encode(list(places)), digest_size=DIGEST_BYTES).digest()
