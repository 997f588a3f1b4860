"""Lists that were made, kept as the bytes that are sent: the least recently asked for go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

CACHED_ITEMS = 200_000
"""Items of all kept lists together, about 200 bytes each: bounds the memory whatever lengths are asked for."""

Place = tuple[int, int, int]
"""Partition, offset and index of an event in the log."""


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a list depends on: the same bundle, consent and events give the same list."""

    bundle: str
    personal: bool
    events: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class MadeList:
    """A list as JSON, what it was made from, and the online store's stamp at which that was last known to hold."""

    made_from: MadeFrom
    stamp: int
    body: bytes


class ListCache:
    """Made lists by subject and length; for one thread."""

    def __init__(self, *, max_items: int = CACHED_ITEMS) -> None:
        self._lists: OrderedDict[tuple[str, int], MadeList] = OrderedDict()
        self._max_items = max_items
        self._items = 0

    def get(self, subject: str, n: int) -> MadeList | None:
        """The kept list of a subject, which may be out of date."""
        key = (subject, n)
        found = self._lists.get(key)
        if found is not None:
            self._lists.move_to_end(key)
        return found

    def put(self, subject: str, n: int, made: MadeList) -> None:
        """Keep a list, and forget those that were not asked for the longest."""
        key = (subject, n)
        if key not in self._lists:
            self._items += n
        self._lists[key] = made
        self._lists.move_to_end(key)
        while self._items > self._max_items and len(self._lists) > 1:
            (_, length), _ = self._lists.popitem(last=False)
            self._items -= length

    def __len__(self) -> int:
        return len(self._lists)
