"""Continuity: check that the log is the one that landing read before, has as many partitions, and holds the next
offsets.

The log's incarnation and number of partitions are stored with its positions, as transactions of the table `feedback`,
when landing first reads it. A recreated log counts from 0 again. Once an operator accepts it, `open_landed_log` adds
the committed positions to its offsets, so that every coordinate in the tables stays unique.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from feedback.errors import Code, LakeError, LogGap
from feedback.log.open import open_log
from feedback.log.port import UNLIMITED_BYTES, FeedbackLog, NewRecord, PartitionAssignment
from feedback.log.records import Records
from feedback.settings.home import Settings
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake, open_lake
from lakehouse.tables.quarantine import QUARANTINE

MARKER_INDEX = -1
"""`log_index` of a quarantine row that stands for lost records, not for an event."""

MAX_MARKED = 2**31 - 1
"""Records that one such row can stand for: `log_count` is a 32-bit number."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A reason why landing cannot continue, in one partition, or in the whole log (None)."""

    partition: int | None
    lost: tuple[int, int] | None
    """The lost offsets, from and up to; None if unknown."""
    words: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake knows of a log; 0 where nothing was noted yet."""

    incarnation: int
    partitions: int
    bases: Mapping[int, int]
    """Per partition, the number that is added to the log's own offsets."""


class LandedLog:
    """A recreated log whose offsets continue from the committed positions."""

    def __init__(self, log: FeedbackLog, bases: Mapping[int, int]) -> None:
        self._log = log
        self._bases = dict(bases)

    @property
    def name(self) -> str:
        """The log's name."""
        return self._log.name

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return self._log.partitions

    @property
    def incarnation(self) -> int:
        """The log's own."""
        return self._log.incarnation

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Append records; returns their offsets as the lake will know them."""
        offsets = self._log.append(records, now=now)
        return [offset + self._base(r.partition) for r, offset in zip(records, offsets, strict=True)]

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        """Records from an offset on."""
        base = self._base(partition)
        found = self._log.read(partition, offset - base, max_events=max_events, max_bytes=max_bytes)
        if base:
            found.offsets = [own + base for own in found.offsets]
        return found

    def bounds(self) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        return {p: (first + self._base(p), end + self._base(p)) for p, (first, end) in self._log.bounds().items()}

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Which identity keys were appended."""
        return self._log.seen_ids(keys)

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        """Topics whose latest statement came without id and time."""
        return self._log.latest_statements(topics)

    def join(self, worker: str) -> PartitionAssignment:
        """Become one of the workers that share the partitions."""
        return self._log.join(worker)

    def trim(self, *, before: datetime, keep_from: dict[int, int]) -> int:
        """Drop old records below the positions given."""
        own = {partition: max(0, offset - self._base(partition)) for partition, offset in keep_from.items()}
        return self._log.trim(before=before, keep_from=own)

    def close(self) -> None:
        """Release the log."""
        self._log.close()

    def _base(self, partition: int) -> int:
        return self._bases.get(partition, 0)


def open_landed_log(settings: Settings) -> FeedbackLog:
    """The log that the settings name, in the offsets under which the lake knows it.

    Raises:
        LogError: It cannot be opened.
        LakeError: The lake cannot be read.
    """
    log = open_log(settings.log)
    bases = known_of(open_lake(settings), log).bases
    return LandedLog(log, bases) if any(bases.values()) else log


def known_of(lake: Lake, log: FeedbackLog) -> Known:
    """What the lake knows of a log."""
    names = [f"{log.name}/incarnation", f"{log.name}/partitions"]
    bases = [f"{log.name}/{partition}/base" for partition in range(log.partitions)]
    noted = lake.notes([*names, *bases])
    return Known(noted[names[0]], noted[names[1]], {p: noted[name] for p, name in enumerate(bases)})


def meet(log: FeedbackLog, lake: Lake) -> None:
    """Store the facts of a log when landing first reads it.

    Raises:
        LakeError: The note cannot be written.
    """
    if known_of(lake, log).incarnation != 0:
        return
    try:
        lake.note({f"{log.name}/incarnation": log.incarnation, f"{log.name}/partitions": log.partitions})
    except LakeError:
        if known_of(lake, log).incarnation == 0:  # else another worker was quicker
            raise


def find_gaps(log: FeedbackLog, known: Known, positions: Mapping[int, int]) -> list[Gap]:
    """Compare a log with what the lake knows of it.

    Args:
        log: As `open_landed_log` gives it.
        known: What was noted of it.
        positions: Where reading resumes, per partition; those without are not looked at.
    """
    if known.incarnation not in (0, log.incarnation):
        return [Gap(None, None, "it was made anew: what the old one held beyond the committed positions is gone")]
    if known.partitions not in (0, log.partitions):
        words = (
            f"it has {log.partitions} partitions now and had {known.partitions}: people have moved between partitions, "
            "and a repeat of an event from before may not be recognised"
        )
        return [Gap(None, None, words)]
    gaps: list[Gap] = []
    for partition, (first, end) in log.bounds().items():
        position = positions.get(partition)
        if position is None or first <= position <= end:
            continue
        if position < first:
            words = f"offsets {position} to {first - 1} ({first - position:,} records) are no longer held"
            gaps.append(Gap(partition, (position, first), words))
        else:
            words = f"it ends at offset {end - 1}, but all up to {position - 1} was landed from it: its end was cut off"
            gaps.append(Gap(partition, None, words))
    return gaps


def refuse_gaps(log: FeedbackLog, lake: Lake, positions: Mapping[int, int]) -> None:
    """Raise where landing cannot continue.

    Raises:
        LogGap: What comes next is gone, or this is another log.
    """
    gaps = find_gaps(log, known_of(lake, log), positions)
    if gaps:
        words = "; ".join(f"{'' if g.partition is None else f'partition {g.partition}: '}{g.words}" for g in gaps)
        raise LogGap(f"log {log.name!r}: {words}. `heed land --skip-gap` goes on behind it and writes it down")


def skip_gaps(settings: Settings, *, at: datetime) -> list[Gap]:
    """Skip lost records: write them to `quarantine` under the code `skipped`, and move the positions after them.

    Repeating it after a crash changes nothing. No other worker may land meanwhile: one that does is refused.

    Raises:
        LogError: The log cannot be read.
        LakeError: The tables cannot be written.
    """
    lake = open_lake(settings)
    log = open_landed_log(settings)
    try:
        positions = lake.positions(log.name, log.partitions)
        known = known_of(lake, log)
        gaps = find_gaps(log, known, positions)
        own = LandingCommitter(lake, log.name, log.partitions)
        own.positions()
        for gap in gaps:
            if gap.lost is not None and gap.partition is not None:
                own.commit(_skipped(gap.partition, gap.lost, gap.words, at=at), at=at)
            else:
                _go_on(lake, log, known, positions, at=at)
    finally:
        log.close()
    return gaps


def _go_on(lake: Lake, log: FeedbackLog, known: Known, positions: Mapping[int, int], *, at: datetime) -> None:
    """Accept the log as it is: its offsets begin at the committed positions."""
    notes = {f"{log.name}/incarnation": log.incarnation, f"{log.name}/partitions": log.partitions}
    for partition, (first, end) in log.bounds().items():
        position = positions.get(partition, 0)
        renewed = known.incarnation not in (0, log.incarnation)
        if renewed or position > end:
            base = known.bases.get(partition, 0) + position - (first if renewed else end)
            notes[f"{log.name}/{partition}/base"] = base
            words = f"from offset {position} on it is another log (incarnation {log.incarnation})"
            lake.append(QUARANTINE, _marker(partition, position, 0, words, at=at))
    lake.note(notes)


def _skipped(partition: int, lost: tuple[int, int], words: str, *, at: datetime) -> LandingBatch:
    """A batch that lands nothing and accounts for a range of offsets."""
    start, end = lost
    rows = [
        _marker(partition, offset, min(MAX_MARKED, end - offset), words, at=at)
        for offset in range(start, end, MAX_MARKED)
    ]
    return LandingBatch({partition: start}, {partition: end}, {QUARANTINE.name: pl.concat(rows).to_arrow()})


def _marker(partition: int, offset: int, count: int, words: str, *, at: datetime) -> pl.DataFrame:
    row = dict.fromkeys(QUARANTINE.names) | {
        "code": str(Code.SKIPPED),
        "detail": words,
        "log_partition": partition,
        "log_offset": offset,
        "log_index": MARKER_INDEX,
        "log_count": count,
        "landed_on": at.date(),
    }
    empty = pl.from_arrow(QUARANTINE.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.DataFrame([row], schema=empty.schema)
