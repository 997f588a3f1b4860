"""Exactly once: the rows of a batch and its log positions, committed table by table, `feedback` last.

The Delta log is the only checkpoint. The positions of `feedback` say where reading resumes; its commit is refused
unless the batch starts there. Where another table is ahead of them, a batch was interrupted between two commits. The
rows that it wrote stay. The retry leaves out each row whose place (partition, offset, index) is in a table that is
ahead, whichever table the row would go to now, and writes all others. So a retry may classify an event differently and
neither loses nor doubles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl
import pyarrow as pa

from feedback.errors import ContractViolation, LakeError, StalePosition
from lakehouse.fenced_table import MAX_ATTEMPTS, FaultPoint, Fence, FencedTable, Numbers, no_faults
from lakehouse.lake import Lake
from lakehouse.landed.positions import (
    PLACE_TYPES,
    Positions,
    application_id,
    clock_note,
    era_note,
    note_id,
    spans,
    within,
)
from lakehouse.landed.tables import OTHERS
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import TableSpec

_PLACES = {name: PLACE_TYPES[name] for name in PLACE}


@dataclass(frozen=True, slots=True)
class LandingBatch:
    """One micro-batch: where it starts and ends in each partition, and its rows by table."""

    start: Positions
    end: Positions
    rows: Mapping[str, pa.Table]
    """By name of the table (`lakehouse.landed.tables`), in the order of their commits; `feedback` always comes last."""
    clocks: Mapping[int, int] = field(default_factory=dict)
    """What time it is in each partition after the batch, in ms since 1970; committed with the positions."""
    eras: Mapping[int, int] = field(default_factory=dict)
    """Per partition that has a clock, its era as it is noted; committed with the clock."""

    @property
    def feedback(self) -> pa.Table:
        """The rows of `feedback`."""
        return self.rows.get(FEEDBACK.name, FEEDBACK.schema.empty_table())

    @property
    def others(self) -> dict[str, pa.Table]:
        """The rows of every other table that has some, in order."""
        return {name: rows for name, rows in self.rows.items() if name != FEEDBACK.name and rows.num_rows}


def has_landed(batch: LandingBatch, committed: Positions, *, log_name: str) -> bool:
    """Whether the whole batch is below the committed positions of `feedback`.

    Raises:
        StalePosition: It neither is nor starts where its partitions stand.
    """
    if all(committed[p] >= end for p, end in batch.end.items()):
        return True
    off = {p: (start, committed[p]) for p, start in batch.start.items() if committed[p] != start}
    if off:
        words = ", ".join(f"partition {p}: batch starts at {s}, committed is {c}" for p, (s, c) in off.items())
        raise StalePosition(f"log {log_name!r}: {words}; read again from the committed positions")
    return False


def left_to_write(batch: LandingBatch, places: pl.DataFrame) -> LandingBatch:
    """A batch without the rows whose places are in a table already, whichever table they are for."""
    if places.is_empty():
        return batch
    return replace(batch, rows={name: _without(rows, places) for name, rows in batch.rows.items()})


class LandingCommitter:
    """Commits batches of one log, each exactly once; one per worker."""

    left_out: pl.DataFrame
    """Places (`PLACE`) from where the last batch starts that a table had before it; their rows were not written."""

    def __init__(
        self, lake: Lake, log_name: str, partitions: int, *, checkpoints: bool = True, fault: FaultPoint = no_faults
    ) -> None:
        self._lake = lake
        self._log_name = log_name
        self._partitions = partitions
        self._checkpoints = checkpoints
        self._fault = fault
        self._feedback = self._fenced(FEEDBACK)
        self._others: dict[str, FencedTable] = {}
        """Those that exist, as far as this committer has looked."""
        self._followed: dict[int, int] = {}
        """Where the last batch of each partition ended, if this committer committed it."""
        self._eras: dict[int, int] = {}
        self.left_out = pl.DataFrame(schema=_PLACES)

    def take_over(self, partitions: Iterable[int]) -> None:
        """Reading of some partitions starts: another worker may have had them since the last batch."""
        for partition in partitions:
            self._followed.pop(partition, None)

    def positions(self) -> dict[int, int]:
        """Where reading resumes, from the newest `feedback` snapshot."""
        return self._by_partition(self._feedback.numbers(self._ids(range(self._partitions)).values(), fresh=True))

    def commit(self, batch: LandingBatch, *, at: datetime) -> bool:
        """Commit a batch; returns whether it was this call that did so, `False` if it was already there.

        Args:
            batch: The rows and positions.
            at: Modification time to note for the data files.

        Raises:
            StalePosition: The batch overlaps only partly with what is committed, or leaves a gap.
            LakeError: The store kept refusing.
        """
        self._fault("before commit")
        fresh = False
        follows = all(self._followed.get(p) == start for p, start in batch.start.items())
        for _ in range(MAX_ATTEMPTS):
            if self._has_landed(batch, fresh=fresh):
                return False
            seen = self._seen(batch, fresh=fresh or not follows)
            standing = [self._standing(name, batch.start, at) for name, at in seen.items()]
            self.left_out = pl.concat([pl.DataFrame(schema=_PLACES), *standing])
            ready = left_to_write(batch, self.left_out)
            if self._commit_others(ready, seen, at=at):
                return self._commit_feedback(ready, at=at)
            fresh = True  # another worker may have these partitions
        raise LakeError(f"log {self._log_name!r}: {MAX_ATTEMPTS} times another worker was quicker; too many at once")

    def _commit_feedback(self, batch: LandingBatch, *, at: datetime) -> bool:
        is_ours = self._feedback.commit(
            batch.feedback,
            self._numbers(batch.end),
            fence=lambda committed: not has_landed(batch, self._by_partition(committed), log_name=self._log_name),
            notes=self._clock_notes(batch),
            at=at,
        )
        if is_ours:
            self._followed.update(batch.end)
            self._eras.update(batch.eras)
        return is_ours

    def _commit_others(self, batch: LandingBatch, seen: Mapping[str, Positions], *, at: datetime) -> bool:
        """Commit to each table but `feedback`; False where one has moved since it was looked at."""
        for name, rows in batch.others.items():
            table = self._others.setdefault(name, self._fenced(_spec(name)))
            ends = {p: max(end, seen[name][p]) for p, end in batch.end.items()}
            fence = _unmoved(self._numbers(seen[name]))
            if not table.commit(rows, self._numbers(ends), fence=fence, at=at):
                return False
            self._fault("between tables")
        return True

    def _seen(self, batch: LandingBatch, *, fresh: bool) -> dict[str, dict[int, int]]:
        """The positions of every table but `feedback` that exists or gets rows.

        Where a batch follows one that this committer committed, the snapshots at hand will do, unless one is ahead: its
        rows are compared place by place, so it must be the newest. If another snapshot is old, its commit is refused.
        """
        for spec in OTHERS if fresh else ():
            if spec.name not in self._others and self._lake.exists(spec):
                self._others[spec.name] = self._fenced(spec)
        ids = list(self._ids(batch.end).values())
        found = {name: dict.fromkeys(batch.end, 0) for name in batch.others}
        for name, table in self._others.items():
            found[name] = self._by_partition(table.numbers(ids, fresh=fresh))
            if not fresh and spans(batch.start, found[name]):
                found[name] = self._by_partition(table.numbers(ids, fresh=True))
        return found

    def _standing(self, name: str, start: Positions, committed: Positions) -> pl.DataFrame:
        """The places of rows of a table that are ahead of `feedback`."""
        ahead = spans(start, committed)
        if not ahead:
            return pl.DataFrame(schema=_PLACES)
        spec = _spec(name)
        with self._lake.reading(spec):
            return self._lake.scan(spec).filter(within(ahead)).select(PLACE).collect()

    def _has_landed(self, batch: LandingBatch, *, fresh: bool) -> bool:
        """See `has_landed`; what the snapshot at hand would refuse is compared with the newest one."""
        ids = list(self._ids(batch.end).values())
        try:
            known = self._by_partition(self._feedback.numbers(ids, fresh=fresh))
            return has_landed(batch, known, log_name=self._log_name)
        except StalePosition:
            newest = self._by_partition(self._feedback.numbers(ids, fresh=True))
            return has_landed(batch, newest, log_name=self._log_name)

    def _clock_notes(self, batch: LandingBatch) -> dict[str, int]:
        """What the log's clock is after a batch; an era only where it has changed."""
        notes = {clock_note(self._log_name, p): ms for p, ms in batch.clocks.items() if ms}
        notes |= {era_note(self._log_name, p): ms for p, ms in batch.eras.items() if self._eras.get(p) != ms}
        return {note_id(name): number for name, number in notes.items()}

    def _ids(self, partitions: Iterable[int]) -> dict[int, str]:
        return {p: application_id(self._log_name, p) for p in partitions}

    def _numbers(self, positions: Positions) -> dict[str, int]:
        """Positions by the names under which they stand in the Delta log."""
        return {application_id(self._log_name, p): at for p, at in positions.items()}

    def _by_partition(self, numbers: Numbers) -> dict[int, int]:
        return {int(name.rpartition("/")[2]): at for name, at in numbers.items()}

    def _fenced(self, spec: TableSpec) -> FencedTable:
        return FencedTable(self._lake, spec, checkpoints=self._checkpoints, fault=self._fault)


def _spec(name: str) -> TableSpec:
    if name not in TABLES:
        raise ContractViolation(f"a batch has rows for a table {name!r}, which is not declared in lakehouse.tables")
    return TABLES[name]


def _unmoved(seen: Numbers) -> Fence:
    """Lets a commit go on where the positions are those that were seen, and after no refusal.

    Another worker's commit may leave the positions as they are where the table is ahead; its rows are looked at again.
    """
    looks = iter((True,))
    return lambda committed: next(looks, False) and committed == seen


def _without(rows: pa.Table, places: pl.DataFrame) -> pa.Table:
    """Rows that are not at one of these places."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame.join(places, on=PLACE, how="anti", maintain_order="left").to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )
