"""The identities of the retention window: a compact hash set per partition that tells new events from repeated ones.

16 bytes a slot in two numpy arrays, open addressing with linear probing, a whole batch at a time. 128 bits of hash make
a false duplicate (a lost event) less likely than a broken disk. An identity is owner, kind, source and id, and the
owner chooses the partition, so a worker holds those of its own partitions only. Memory depends on the window, not on
the table's age: a set is rebuilt when the day changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from beam_jobs.stages.deduplication.latest_statements import (
    COLUMNS,
    Hashes,
    LatestStatements,
    Mask,
    landed_statements,
    latest_about,
    repeats_of_latest,
    undated_statements,
    with_topics,
)
from lakehouse.lake import Lake
from lakehouse.landed.positions import Spans, within
from lakehouse.owners import owner_column
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

MAX_LOAD = 0.6
NIGHT = timedelta(days=1)
"""Around midnight batches of both days alternate; a set built for the later day serves both."""
FIRST_SLOTS = 1 << 14
_SEEDS = (0x5EED, 0xFEED)
_HASH_COLUMNS = ("first", "second")
_IDENTITY = ("subject", "item_id", "kind", "source", "id", "log_partition")


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

    def add(self, first: Hashes, second: Hashes) -> Mask:
        """Add distinct hashes; returns which of them were new."""
        first = np.where(first == 0, np.uint64(1), first)  # 0 marks an empty slot
        while self._count + len(first) > MAX_LOAD * len(self._first):
            self._grow()
        new = self._insert(first, second)
        self._count += int(new.sum())
        return new

    def has(self, first: Hashes, second: Hashes) -> Mask:
        """Which hashes are in it."""
        first = np.where(first == 0, np.uint64(1), first)
        mask = len(self._first) - 1
        found = np.zeros(len(first), dtype=np.bool_)
        pending = np.arange(len(first))
        slot = (first & np.uint64(mask)).astype(np.int64)
        while len(pending):
            at = slot[pending]
            held = (self._first[at] == first[pending]) & (self._second[at] == second[pending])
            found[pending[held]] = True
            pending = pending[~held & (self._first[at] != 0)]
            slot[pending] = (slot[pending] + 1) & mask
        return found

    def _insert(self, first: Hashes, second: Hashes) -> Mask:
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
        self._latest: dict[int, LatestStatements] = {}
        self._tracked_kinds: set[str] = set()
        self._until: dict[int, int] = {}
        self._days: dict[int, date] = {}
        self._lake: Lake | None = None
        self._first_landing: date | None = None

    def prepare(self, lake: Lake, start: Mapping[int, int], today: date | Mapping[int, date]) -> None:
        """Make the sets hold what landed below a batch's start, in each of its partitions.

        What this worker did not see itself is read from the lake: everything on the first batch, on a new day and
        where the batch goes back behind what is held (it is being repeated); else what others landed in between.

        Args:
            lake: Where rows have landed.
            start: Where the batch starts in each partition.
            today: The day by the clock of each partition, or of all.
        """
        self._lake = lake
        days = dict.fromkeys(start, today) if isinstance(today, date) else {p: today[p] for p in start}
        for partition, day in days.items():
            held = self._days.get(partition)
            if held is None or not held - NIGHT <= day <= held:
                self._sets.pop(partition, None)
                self._latest.pop(partition, None)
                self._until.pop(partition, None)
                self._days[partition] = day
        if not self._sets:
            self._tracked_kinds.clear()
        behind = {p: at for p, at in start.items() if at != self._until.get(p)}
        if not behind:
            return
        anew = [p for p, at in behind.items() if at < self._until.get(p, at + 1)]
        for partition in anew:
            self._sets.pop(partition, None)
        since = {p: (0 if p in anew else self._until[p], at) for p, at in behind.items()}
        first_day = min(map(self._first_day, behind))
        for partition, first, second in landed_hashes(lake, since, day=first_day):
            self._of(partition).add(*_distinct(first, second))
        for partition in behind:
            self._latest.pop(partition, None)
        self._note(landed_statements(lake, {p: (0, at) for p, at in behind.items()}, day=first_day))
        self._until.update(behind)

    def _of(self, partition: int) -> HashSet:
        known = self._sets.get(partition)
        if known is None:
            known = self._sets[partition] = HashSet(self._expected)
        return known

    def _first_day(self, partition: int) -> date:
        """The first day of a partition's window."""
        return date.fromordinal(max(1, self._days[partition].toordinal() - self._window.days))

    def close(self) -> None:
        """Forget everything."""
        self._sets.clear()
        self._latest.clear()
        self._tracked_kinds.clear()
        self._until.clear()

    def mark_new(self, events: pl.DataFrame, end: Mapping[int, int]) -> tuple[pl.DataFrame, Mask]:
        """The events with the ids that they land under, and which of them are seen for the first time.

        An undated statement that does not repeat the latest one lands; its id gets its place in the log where an
        equal one landed before, or may have, the table being older than the window.
        """
        undated = undated_statements(events)
        if undated is None and not self._tracked_kinds:
            return events, self.first_seen(events, end)
        undated = np.zeros(events.height, np.bool_) if undated is None else undated
        fresh = np.zeros(events.height, np.bool_)
        fresh[~undated] = self.first_seen(events.select(_IDENTITY).filter(~undated), end)
        kinds = self._tracked_kinds.union(events["kind"].filter(pl.Series(undated)))
        counted = (fresh & events["kind"].is_in(list(kinds)).to_numpy()) | undated
        statements = with_topics(events.select(*COLUMNS, "source").filter(counted))
        fresh[counted] |= self._news(statements, undated[counted])
        return self._with_ids(events, undated & fresh, end), fresh

    def _news(self, statements: pl.DataFrame, undated: Mask) -> Mask:
        """Which undated statements say something else than the latest one about their topic."""
        news = np.zeros(statements.height, np.bool_)
        partitions = statements["log_partition"].to_numpy()
        asked = statements.filter(undated)["topic"].unique()
        for partition in np.unique(partitions):
            latest = self._latest.setdefault(int(partition), LatestStatements())
            held, _ = latest.find(statements["topic"].to_numpy())
            mine = (partitions == partition) & (held | statements["topic"].is_in(asked.implode()).to_numpy())
            self._look_up(int(partition), statements.filter(mine & undated & ~held))
            news[mine] = ~repeats_of_latest(statements.filter(mine), latest)
        self._tracked_kinds.update(statements.filter(undated)["kind"])
        return news & undated

    def _look_up(self, partition: int, statements: pl.DataFrame) -> None:
        """Learn of landed statements of releases that did not mark undated ones: equal ones are among the ids."""
        known = statements.filter(self._of(partition).has(*hashes_of(statements)))
        if self._lake is None or known.is_empty():
            return
        spans = {partition: (0, self._until[partition])}
        day = self._first_day(partition)
        self._note(latest_about(self._lake, spans, known["topic"], kinds=known["kind"].unique(), day=day))

    def _note(self, statements: pl.DataFrame) -> None:
        """Hold landed statements as the latest about their topics."""
        for (partition,), mine in statements.partition_by("log_partition", as_dict=True).items():
            latest = self._latest.setdefault(int(partition), LatestStatements())
            latest.put(mine["topic"].to_numpy(), mine["content"].to_numpy())
        self._tracked_kinds.update(statements["kind"])

    def _with_ids(self, events: pl.DataFrame, news: Mask, end: Mapping[int, int]) -> pl.DataFrame:
        """Give new statements whose id exists already an id of their own, and remember all of them."""
        again = news.copy()
        if not self._is_older_than_window():
            again[news] = ~self.first_seen(events.select(_IDENTITY).filter(news), end)
        if not again.any():
            return events
        placed = pl.concat_str("id", *PLACE, separator="-")
        events = events.with_columns(pl.when(pl.Series(again)).then(placed).otherwise("id").alias("id"))
        self.first_seen(events.select(_IDENTITY).filter(again), end)
        return events

    def _is_older_than_window(self) -> bool:
        """Whether rows have left the window, so that an id that is not known may have landed all the same."""
        if self._first_landing is None and self._lake is not None and self._lake.exists(FEEDBACK):
            with self._lake.reading(FEEDBACK):
                self._first_landing = self._lake.scan(FEEDBACK).select(pl.col("landed_on").min()).collect().item()
        return self._first_landing is not None and self._first_landing < max(map(self._first_day, self._days))

    def first_seen(self, events: pl.DataFrame, end: Mapping[int, int]) -> Mask:
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

    They come in parts, several per partition, so that memory is bounded however many rows are read.
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
    key = pl.concat_str(owner_column(), "id", separator="\0")
    # in one text with owner and id, kind and source would cost half as much again; there are few pairs of them
    kind_and_source = pl.col("kind").hash(_SEEDS[0]) ^ pl.col("source").hash(_SEEDS[1])
    return [(key.hash(seed) ^ kind_and_source).alias(name) for seed, name in zip(_SEEDS, _HASH_COLUMNS, strict=True)]


def _first_of_each(first: Hashes, second: Hashes) -> Mask:
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
