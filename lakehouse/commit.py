"""Exactly once: data files and log positions in one Delta commit, behind a fence.

The Delta log is the only checkpoint. delta-rs does not refuse a repeated transaction from a fresh snapshot
(delta-rs#3821), so the fence is ours: read the position from the loaded snapshot, compare it with where the batch
starts, and commit through that same snapshot, which delta-rs then refuses if anything concerning it has moved.
Tables other than `feedback` are committed first; `feedback` comes last and its positions are where reading resumes.
Where another table is ahead of them, a commit was cut short: what it wrote stays, and the repeat leaves it out, place
by place, so that nothing hangs on the repeat judging each event as the first attempt did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from feedback.errors import LakeError, StalePosition
from lakehouse.data_files import write_files
from lakehouse.lake import Lake
from lakehouse.landed.positions import Positions, application_id, clock_note, era_note, note_id, spans, within
from lakehouse.maintenance.checkpoints import NO_CHECKPOINT, newer_checkpoint
from lakehouse.store_errors import is_torn_listing, plain
from lakehouse.tables.specs import FEEDBACK, QUARANTINE, TableSpec

MAX_ATTEMPTS = 20
PLACE = ("log_partition", "log_offset", "log_index")
FRESH_SECONDS = 600.0
"""A data file older than this is written anew before it is committed: a process that slept through maintenance's
`maintenance.orphan_hours` (half an hour at least) would commit files that maintenance has removed as orphans."""

FaultPoint = Callable[[str], None]
"""Called with the name of each point of a commit at which a process may die: "before commit", "after data file",
"after commit" (of any table) and "between tables"."""


def no_faults(point: str) -> None:
    """The fault hook outside tests: nothing happens."""


@dataclass(frozen=True, slots=True)
class LandingBatch:
    """One micro-batch: where it starts and ends in each partition, and its rows by table."""

    start: Positions
    end: Positions
    feedback: pa.Table
    quarantine: pa.Table
    clocks: Mapping[int, int] = field(default_factory=dict)
    """What time it is in each partition after the batch, in ms since 1970; committed with the positions."""
    eras: Mapping[int, int] = field(default_factory=dict)
    """Per partition that has a clock, its era as it is noted; committed with the clock."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The positions that one version of a table holds; asking the library costs a millisecond each."""

    version: int
    positions: Mapping[int, int]


class LandingCommitter:
    """Commits batches of one log, each exactly once; one per worker."""

    def __init__(
        self, lake: Lake, log_name: str, partitions: int, *, checkpoints: bool = True, fault: FaultPoint = no_faults
    ) -> None:
        self._lake = lake
        self._log_name = log_name
        self._partitions = partitions
        self._checkpoints = checkpoints
        self._checkpointed: dict[str, int] = {}
        self._fault = fault
        self._tables: dict[str, DeltaTable] = {}
        self._positions: dict[str, _Known] = {}
        self._followed: dict[int, int] = {}
        """Where the last batch of each partition ended, if this committer committed it."""
        self._eras: dict[int, int] = {}

    def positions(self) -> dict[int, int]:
        """Where reading resumes, from the newest `feedback` snapshot."""
        return self._committed(self._fresh(FEEDBACK), range(self._partitions), FEEDBACK)

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
        with self._answering():
            if self._is_landed(batch, self._known(FEEDBACK)):
                return False
            settled = self._quarantine(batch, at=at)
            return settled is not None and self._land(settled, at=at)

    def _land(self, batch: LandingBatch, *, at: datetime) -> bool:
        """Commit to `feedback`, through the snapshot whose positions were compared."""
        table = self._known(FEEDBACK)
        adds: list[AddAction] | None = None
        written = 0.0
        for _ in range(MAX_ATTEMPTS):
            if self._is_landed(batch, table):
                return False
            if adds is None:
                adds, written = write_files(self._lake, FEEDBACK, batch.feedback, at=at), time.time()
                self._fault("after data file")
            if time.time() - written > FRESH_SECONDS:
                adds = None
                continue
            try:
                self._transact(table, FEEDBACK, adds, batch.end, clocks=self._clock_notes(batch))
            except DeltaError as error:
                self._refuse_hopeless(error)
                table = self._fresh(FEEDBACK)
                continue
            self._advance(table, FEEDBACK, batch.end)
            self._followed.update(batch.end)
            self._eras.update(batch.eras)
            self._fault("after commit")
            self._follow_checkpoints(FEEDBACK, table)
            return True
        raise _too_many_writers(FEEDBACK)

    def _quarantine(self, batch: LandingBatch, *, at: datetime) -> LandingBatch | None:
        """Commit to `quarantine`; returns the batch without what stood there before, `None` if all of it has landed."""
        follows = all(self._followed.get(p) == start for p, start in batch.start.items())
        if not batch.quarantine.num_rows and (follows or not self._lake.exists(QUARANTINE)):
            return batch
        table = self._known(QUARANTINE) if follows else self._fresh(QUARANTINE)
        for _ in range(MAX_ATTEMPTS):
            committed = self._committed(table, batch.end, QUARANTINE)
            settled = self._settled(batch, committed)
            if not settled.quarantine.num_rows:
                return settled
            adds, written = write_files(self._lake, QUARANTINE, settled.quarantine, at=at), time.time()
            self._fault("after data file")
            if time.time() - written > FRESH_SECONDS:
                continue
            ends = {p: max(end, committed[p]) for p, end in batch.end.items()}
            try:
                self._transact(table, QUARANTINE, adds, ends)
            except DeltaError as error:
                self._refuse_hopeless(error)
                if self._is_landed(batch, self._fresh(FEEDBACK)):  # somebody else may work on these partitions
                    return None
                table = self._fresh(QUARANTINE)
                continue
            self._advance(table, QUARANTINE, ends)
            self._follow_checkpoints(QUARANTINE, table)
            self._fault("after commit")
            self._fault("between tables")
            return settled
        raise _too_many_writers(QUARANTINE)

    def _settled(self, batch: LandingBatch, committed: Positions) -> LandingBatch:
        """A batch without what a commit that was cut short has put into `quarantine`."""
        ahead = spans(batch.start, committed)
        if not ahead:
            return batch
        with self._lake.reading(QUARANTINE):
            there = self._lake.scan(QUARANTINE).filter(within(ahead)).select(PLACE).collect()
        if there.is_empty():
            return batch
        return replace(batch, feedback=_without(batch.feedback, there), quarantine=_without(batch.quarantine, there))

    def _is_landed(self, batch: LandingBatch, table: DeltaTable) -> bool:
        """Whether the whole batch is in a snapshot of `feedback`.

        Raises:
            StalePosition: It neither is nor starts where its partitions stand.
        """
        committed = self._committed(table, batch.end, FEEDBACK)
        if all(committed[p] >= end for p, end in batch.end.items()):
            return True
        self._refuse_overlap(batch, committed)
        return False

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn errors of the store into ours; handles that met one are opened anew."""
        try:
            yield
        except (DeltaError, OSError, pa.ArrowException) as error:
            self._tables.clear()
            raise LakeError(f"lake {self._lake.uri(FEEDBACK)}: a batch cannot be committed: {plain(error)}") from error

    def _clock_notes(self, batch: LandingBatch) -> list[Transaction]:
        """What the log's clock is after a batch, as transactions; an era only where it has changed."""
        notes = {clock_note(self._log_name, p): ms for p, ms in batch.clocks.items() if ms}
        notes |= {era_note(self._log_name, p): ms for p, ms in batch.eras.items() if self._eras.get(p) != ms}
        return [Transaction(note_id(name), number) for name, number in sorted(notes.items())]

    def _transact(
        self,
        table: DeltaTable,
        spec: TableSpec,
        adds: list[AddAction],
        end: Positions,
        *,
        clocks: Sequence[Transaction] = (),
    ) -> None:
        transactions = [Transaction(application_id(self._log_name, p), offset) for p, offset in sorted(end.items())]
        transactions += clocks
        table.create_write_transaction(
            actions=list(adds),
            mode="append",
            schema=table.schema(),
            partition_by=list(spec.partition_by),
            commit_properties=CommitProperties(app_transactions=transactions, max_commit_retries=MAX_ATTEMPTS),
            post_commithook_properties=NO_CHECKPOINT,
        )

    def _refuse_overlap(self, batch: LandingBatch, committed: Positions) -> None:
        """A batch must start exactly where its partitions stand; our own check, since delta-rs has none."""
        off = {p: (start, committed[p]) for p, start in batch.start.items() if committed[p] != start}
        if off:
            self._tables.pop(FEEDBACK.name, None)
            words = ", ".join(f"partition {p}: batch starts at {s}, committed is {c}" for p, (s, c) in off.items())
            raise StalePosition(f"log {self._log_name!r}: {words}; read again from the committed positions")

    def _committed(self, table: DeltaTable, partitions: Iterable[int], spec: TableSpec) -> dict[int, int]:
        """Positions in the loaded snapshot of a table."""
        known = self._positions.get(spec.name)
        held = dict(known.positions) if known is not None and known.version == table.version() else {}
        asked = {p for p in partitions if p not in held}
        if asked:
            held |= {p: table.transaction_version(application_id(self._log_name, p)) or 0 for p in asked}
            self._positions[spec.name] = _Known(table.version(), held)
        return {p: held[p] for p in partitions}

    def _advance(self, table: DeltaTable, spec: TableSpec, ends: Positions) -> None:
        """Move on to the snapshot with our commit in it; positions are kept if nobody else's came in between."""
        before = table.version()
        try:
            table.update_incremental()
        except DeltaError:  # the commit is done, so what goes wrong here must not undo it
            self._tables.pop(spec.name, None)
            return
        known = self._positions.get(spec.name)
        if known is not None and known.version == before and table.version() == before + 1:
            self._positions[spec.name] = _Known(before + 1, {**known.positions, **ends})
        self._tables[spec.name] = table

    def _refuse_hopeless(self, error: DeltaError) -> None:
        """Raise what another look cannot mend; a stale handle, or one whose log was cleaned or half listed, it can."""
        stale = isinstance(error, CommitFailedError) or "Invalid table version" in str(error)
        if not stale and not is_torn_listing(error):
            raise error

    def _follow_checkpoints(self, spec: TableSpec, table: DeltaTable) -> None:
        """Open the table anew once a newer checkpoint is there: a handle replays all that came after its own."""
        known = self._checkpointed.get(spec.name, 0)
        newest = newer_checkpoint(self._lake, spec, table, known, write=self._checkpoints)
        if newest > known:
            self._checkpointed[spec.name] = newest
            self._tables.pop(spec.name, None)

    def _known(self, spec: TableSpec) -> DeltaTable:
        """The handle at hand; a new one where maintenance has cleaned the log below one that stood idle."""
        table = self._tables.get(spec.name)
        if table is None:
            return self._fresh(spec)
        try:
            self._committed(table, range(self._partitions), spec)
        except DeltaError:
            return self._fresh(spec)
        return table

    def _fresh(self, spec: TableSpec) -> DeltaTable:
        table = self._lake.ensure(spec)
        self._tables[spec.name] = table
        return table


def _without(rows: pa.Table, places: pl.DataFrame) -> pa.Table:
    """Rows that do not stand at one of these places of the log."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame.join(places, on=PLACE, how="anti", maintain_order="left").to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )


def _too_many_writers(spec: TableSpec) -> LakeError:
    return LakeError(f"table {spec.name}: the commit was refused {MAX_ATTEMPTS} times; too many writers at once")
