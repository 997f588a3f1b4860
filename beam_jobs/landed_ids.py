"""The identities of the retention window: a compact hash set per partition that tells new events from repeated ones.

16 bytes a slot in two numpy arrays, open addressing with linear probing, a whole batch at a time. 128 bits of hash
make a false duplicate (a lost event) less likely than a broken disk. An identity is owner, kind, source and id, and
the owner chooses the partition, so a worker holds those of its own partitions only. Memory goes by the window, not by
the table's age: a set is built anew when the day changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.lake import Lake
from lakehouse.positions import Spans, within
from lakehouse.tables import FEEDBACK

Hashes = npt.NDArray[np.uint64]

MAX_LOAD = 0.6
FIRST_SLOTS = 1 << 14
_SEEDS = (0x5EED, 0xFEED)
_HASH_COLUMNS = ("first", "second")


class HashSet:
    """A set of 128-bit hashes."""

    def __init__(self, expected: int = 0) -> None:
        slots = FIRST_SLOTS
        while expected > MAX_LOAD * slots:
            slots *= 2
        self._first = np.zeros(slots, dtype=np.uint64)
        self._second = np.zeros(slots, dtype=np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self._first.nbytes + self._second.nbytes

    def add(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Add distinct hashes; returns which of them were new."""
        first = np.where(first == 0, np.uint64(1), first)  # 0 marks an empty slot
        while self._count + len(first) > MAX_LOAD * len(self._first):
            self._grow()
        new = self._insert(first, second)
        self._count += int(new.sum())
        return new

    def _insert(self, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        mask = len(self._first) - 1
        new = np.zeros(len(first), dtype=np.bool_)
        pending = np.arange(len(first))
        slot = (first & np.uint64(mask)).astype(np.int64)
        while len(pending):
            at = slot[pending]
            empty = self._first[at] == 0
            claims = pending[empty]
            self._first[slot[claims]] = first[claims]
            self._second[slot[claims]] = second[claims]
            held = (self._first[at] == first[pending]) & (self._second[at] == second[pending])
            new[pending[held & empty]] = True
            pending = pending[~held]
            slot[pending] = (slot[pending] + 1) & mask
        return new

    def _grow(self) -> None:
        used = self._first != 0
        first, second = self._first[used], self._second[used]
        self._first = np.zeros(2 * len(self._first), dtype=np.uint64)
        self._second = np.zeros(2 * len(self._second), dtype=np.uint64)
        self._insert(first, second)


class LandedIds:
    """Which identities landed within the window, across restarts, takeovers and repeated batches."""

    def __init__(self, window_days: int, *, expected: int = 0) -> None:
        """Know nothing yet.

        Args:
            window_days: How long an id is remembered.
            expected: Ids of one partition that there is room for from the start, so that memory stays flat until then.
        """
        self._window = timedelta(days=window_days)
        self._expected = expected
        self._sets: dict[int, HashSet] = {}
        self._until: dict[int, int] = {}
        self._day = date.min

    def prepare(self, lake: Lake, start: Mapping[int, int], today: date) -> None:
        """Make the sets hold what landed below a batch's start, in each of its partitions.

        What this worker did not see itself is read from the lake: everything on the first batch, on a new day and
        where the batch goes back behind what is held (it is being repeated); else what others landed in between.
        """
        if today > self._day:
            self._sets.clear()
            self._until.clear()
            self._day = today
        behind = {p: at for p, at in start.items() if at != self._until.get(p)}
        if not behind:
            return
        anew = [p for p, at in behind.items() if at < self._until.get(p, at + 1)]
        for partition in anew:
            self._sets.pop(partition, None)
        since = {p: (0 if p in anew else self._until[p], at) for p, at in behind.items()}
        for partition, first, second in landed_hashes(lake, since, day=self._first_day()):
            self._of(partition).add(*_distinct(first, second))
        self._until.update(behind)

    def _of(self, partition: int) -> HashSet:
        known = self._sets.get(partition)
        if known is None:
            known = self._sets[partition] = HashSet(self._expected)
        return known

    def _first_day(self) -> date:
        return date.fromordinal(max(1, self._day.toordinal() - self._window.days))

    def close(self) -> None:
        """Forget everything."""
        self._sets.clear()
        self._until.clear()

    def first_seen(self, events: pl.DataFrame, end: Mapping[int, int]) -> npt.NDArray[np.bool_]:
        """Which events of a batch are seen for the first time, in order; they are remembered.

        Args:
            events: Columns of `feedback`.
            end: The batch's end per partition, up to which the sets reach after it.
        """
        first, second = hashes_of(events)
        fresh = _first_of_each(first, second)
        partitions = events["log_partition"].to_numpy()
        for partition in end:
            mine = np.flatnonzero(fresh & (partitions == partition)) if len(end) > 1 else np.flatnonzero(fresh)
            fresh[mine] = self._of(partition).add(first[mine], second[mine])
        self._until.update(end)
        return fresh


def landed_hashes(lake: Lake, behind: Spans, *, day: date) -> Iterable[tuple[int, Hashes, Hashes]]:
    """Hashes of the rows of `feedback` that landed from a day on, per partition between two positions.

    They come in parts, several of one partition among them, so that memory does not go by the rows that are read.
    """
    if not lake.exists(FEEDBACK):
        return
    rows = lake.scan(FEEDBACK).filter((pl.col("landed_on") >= day) & within(behind))
    for part in lake.in_parts(FEEDBACK, rows.select("log_partition", *_hash_expressions())):
        for (partition,), mine in part.partition_by("log_partition", as_dict=True, include_key=False).items():
            first, second = (mine[name].to_numpy() for name in _HASH_COLUMNS)
            yield int(partition), first, second


def hashes_of(events: pl.DataFrame) -> tuple[Hashes, Hashes]:
    """Two 64-bit hashes of each event's identity; stable within one version of Polars, so never stored."""
    hashed = events.select(_hash_expressions())
    first, second = (hashed[name].to_numpy() for name in _HASH_COLUMNS)
    return first, second


def _hash_expressions() -> list[pl.Expr]:
    owner = pl.when(pl.col("subject").is_null()).then(pl.lit("item:") + pl.col("item_id")).otherwise(pl.col("subject"))
    key = pl.concat_str(owner, "id", separator="\0")
    # kind and source are short: hashed apart and joined, they cost an eighth; in one text with the rest a half
    return [
        (key.hash(seed) ^ pl.col("kind").hash(seed + 1) ^ pl.col("source").hash(seed + 2)).alias(name)
        for seed, name in zip(_SEEDS, _HASH_COLUMNS, strict=True)
    ]


def _first_of_each(first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
    """Which hashes have no equal before them."""
    fresh = np.ones(len(first), dtype=np.bool_)
    # 64 bits that differ are two events; only the rest, which is little, is looked at closely
    alike = np.flatnonzero(pl.Series(first).is_duplicated().to_numpy())
    if len(alike):
        one, other = first[alike], second[alike]
        order = np.lexsort((alike, other, one))
        same = (one[order][1:] == one[order][:-1]) & (other[order][1:] == other[order][:-1])
        fresh[alike[order[1:][same]]] = False
    return fresh


def _distinct(first: Hashes, second: Hashes) -> tuple[Hashes, Hashes]:
    fresh = _first_of_each(first, second)
    return first[fresh], second[fresh]
