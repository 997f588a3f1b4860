"""The ids of the retention window: a compact hash set that tells new events from repeated ones.

16 bytes a slot in two numpy arrays, open addressing with linear probing, a whole batch at a time. 128 bits of hash
make a false duplicate (a lost event) less likely than a broken disk. Memory goes by the window, not by the
table's age: the set is built anew when the day changes.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.lake import Lake
from lakehouse.tables import FEEDBACK

Hashes = npt.NDArray[np.uint64]

MAX_LOAD = 0.6
FIRST_SLOTS = 1 << 16
_SEEDS = (0x5EED, 0xFEED)


class HashSet:
    """A set of 128-bit hashes."""

    def __init__(self, slots: int = FIRST_SLOTS) -> None:
        self._first = np.zeros(slots, dtype=np.uint64)
        self._second = np.zeros(slots, dtype=np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add distinct hashes; returns which of them were new."""
        first = np.where(first == 0, np.uint64(1), first)  # 0 marks an empty slot
        while self._count + len(first) > MAX_LOAD * len(self._first):
            self._grow()
        new = self._insert(first, second)
        self._count += int(new.sum())
        return new

    def _insert(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        mask = np.uint64(len(self._first) - 1)
        new = np.zeros(len(first), dtype=np.bool_)
        pending = np.arange(len(first))
        slot = (first & mask).astype(np.int64)
        while len(pending):
            at = slot[pending]
            empty = self._first[at] == 0
            claims = pending[empty]
            self._first[slot[claims]] = first[claims]
            self._second[slot[claims]] = second[claims]
            held = (self._first[at] == first[pending]) & (self._second[at] == second[pending])
            new[pending[held & empty]] = True
            pending = pending[~held]
            slot[pending] = (slot[pending] + 1) & int(mask)
        return new

    def _grow(self) -> None:
        used = self._first != 0
        first, second = self._first[used], self._second[used]
        self._first = np.zeros(2 * len(self._first), dtype=np.uint64)
        self._second = np.zeros(2 * len(self._second), dtype=np.uint64)
        self._insert(first, second)


class LandedIds:
    """Which (owner, id) landed within the window, across restarts."""

    def __init__(self, window_days: int) -> None:
        self._window = timedelta(days=window_days)
        self._set = HashSet()
        self._day: date | None = None

    def load(self, lake: Lake, today: date) -> None:
        """Read the window's ids from the lake."""
        self._set, self._day = HashSet(), today
        if not lake.exists(FEEDBACK):
            return
        frame = (
            lake.scan(FEEDBACK)
            .filter(pl.col("landed_on") >= today - self._window)
            .select("subject", "item_id", "id")
            .collect()
        )
        self._set.add(*_distinct(*hashes_of(frame)))

    def needs_reload(self, today: date) -> bool:
        """Whether the window has moved on."""
        return self._day is None or today > self._day

    def first_seen(self, events: pl.DataFrame) -> npt.NDArray[np.bool_]:
        """Which events of a batch are seen for the first time, in order; they are remembered."""
        first, second = hashes_of(events)
        order = np.lexsort((np.arange(len(first)), second, first))
        repeated = np.zeros(len(first), dtype=np.bool_)
        same = (first[order][1:] == first[order][:-1]) & (second[order][1:] == second[order][:-1])
        repeated[order[1:][same]] = True
        fresh = ~repeated
        fresh[fresh] = self._set.add(first[fresh], second[fresh])
        return fresh


def hashes_of(events: pl.DataFrame) -> tuple[Hashes, Hashes]:
    """Two 64-bit hashes of each event's (owner, id); stable within one version of Polars, so never stored."""
    owner = pl.when(pl.col("subject").is_null()).then(pl.lit("item:") + pl.col("item_id")).otherwise(pl.col("subject"))
    key = pl.concat_str(owner, "id", separator="\0")
    hashed = events.select(key.hash(seed).alias(str(seed)) for seed in _SEEDS)
    first, second = (hashed[str(seed)].to_numpy() for seed in _SEEDS)
    return first, second


def _distinct(first: Hashes, second: Hashes) -> tuple[Hashes, Hashes]:
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    keep = np.ones(len(first), dtype=np.bool_)
    keep[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return first[keep], second[keep]
