"""A Delta table that several processes append to: rows and positions in one commit, behind a fence.

delta-rs does not refuse a repeated transaction from a fresh snapshot (delta-rs#3821): from there it accepts an equal
and even a lower version. So a commit loads a snapshot, reads its positions, lets the caller compare them, and commits
through that same snapshot; delta-rs refuses it if another commit has moved one of the positions meanwhile. A refused
commit is compared again with a fresh snapshot. Checkpoints are written behind a lock, never in the commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from feedback.errors import LakeError
from lakehouse.data_files import write_files
from lakehouse.lake import Lake, conform
from lakehouse.maintenance.checkpoints import NO_CHECKPOINT, newer_checkpoint
from lakehouse.store_errors import is_torn_listing
from lakehouse.tables.spec import TableSpec

MAX_ATTEMPTS = 20
FRESH_SECONDS = 600.0
"""A data file older than this is written anew before it is committed: a process that slept through maintenance's
`maintenance.orphan_hours` (half an hour at least) would commit files that maintenance has removed as orphans."""

Numbers = Mapping[str, int]
"""By name of an application transaction, its version in the Delta log; 0 where there is none."""

Fence = Callable[[Numbers], bool]
"""Compares the committed positions with a commit: True: commit, False: there is nothing to do. It raises where the
commit must not happen."""

FaultPoint = Callable[[str], None]
"""Called with the name of each point of a commit at which a process may die: "before commit", "after data file",
"after commit" (of any table) and "between tables"."""


def no_faults(point: str) -> None:
    """The fault hook outside tests: nothing happens."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The numbers that one version of a table holds; asking the library costs a millisecond each."""

    version: int
    numbers: Numbers


@dataclass(slots=True)
class _Change:
    """What one commit writes: rows as new files, or in the place of rows that meet a condition."""

    rows: pa.Table
    at: datetime
    replacing: str | None
    adds: list[AddAction] | None = None
    written: float = 0.0
    """When the files were written, in seconds since 1970."""


class FencedTable:
    """One process's handle of a table that it appends to, perhaps beside others; not for several threads at once."""

    def __init__(self, lake: Lake, spec: TableSpec, *, checkpoints: bool = True, fault: FaultPoint = no_faults) -> None:
        """Open nothing yet; the table is made on first use.

        Args:
            lake: Where it lies.
            spec: What it is.
            checkpoints: Whether to write a checkpoint where one is due and nobody else is at it.
            fault: Called at each point of a commit at which a process may die.
        """
        self._lake = lake
        self._spec = spec
        self._checkpoints = checkpoints
        self._fault = fault
        self._handle: DeltaTable | None = None
        self._known = _Known(-1, {})
        self._checkpoint = 0

    def numbers(self, names: Iterable[str], *, fresh: bool = False) -> dict[str, int]:
        """The numbers of these names in the snapshot at hand, or in the newest one.

        Raises:
            LakeError: The table cannot be opened.
        """
        asked = list(names)
        with self._answering():
            return self._numbers(self._fresh() if fresh else self._current(asked), asked)

    def rows(self) -> pl.LazyFrame:
        """The rows of the snapshot at hand."""
        with self._answering():
            return pl.scan_delta(self._handle or self._fresh())

    def commit(
        self,
        rows: pa.Table,
        positions: Numbers,
        *,
        fence: Fence,
        at: datetime,
        notes: Numbers | None = None,
        replacing: str | None = None,
    ) -> bool:
        """Commit rows and positions; returns False where the fence said that there is nothing to do.

        Args:
            rows: By the table's spec; there may be none.
            positions: The numbers that the fence compares and that become the new ones.
            fence: Gets the committed numbers of the names in `positions`; again after each refusal.
            at: Modification time to note for the data files.
            notes: Numbers that are written with the rows and that nobody compares.
            replacing: A condition on the rows that these take the place of; without it they are appended.

        Raises:
            LakeError: The table cannot be written, or its store kept refusing.
        """
        numbers = {**positions, **(notes or {})}
        change = _Change(rows, at, replacing)
        with self._answering():
            self._current(positions)
            for _ in range(MAX_ATTEMPTS):
                table = self._handle or self._fresh()
                if not fence(self._numbers(table, positions)):
                    return False
                if self._is_committed(table, change, numbers):
                    self._advance(table, positions)
                    self._fault("after commit")
                    self._follow_checkpoints(table)
                    return True
        raise LakeError(
            f"table {self._spec.name}: the commit was refused {MAX_ATTEMPTS} times; too many writers at once"
        )

    def _is_committed(self, table: DeltaTable, change: _Change, numbers: Numbers) -> bool:
        """Commit through the snapshot whose numbers were compared; False where they must be compared again."""
        if change.replacing is None and change.adds is None:
            change.adds, change.written = write_files(self._lake, self._spec, change.rows, at=change.at), time.time()
            self._fault("after data file")
        if change.adds is not None and time.time() - change.written > FRESH_SECONDS:
            change.adds = None
            return False
        try:
            if change.adds is None:
                self._replace(table, change, numbers)
            else:
                self._transact(table, change.adds, numbers)
        except DeltaError as error:
            _refuse_hopeless(error)
            self._fresh()
            return False
        return True

    def _transact(self, table: DeltaTable, adds: list[AddAction], numbers: Numbers) -> None:
        """Commit files and numbers through the snapshot whose numbers were compared."""
        table.create_write_transaction(
            actions=list(adds),
            mode="append",
            schema=table.schema(),
            partition_by=list(self._spec.partition_by),
            commit_properties=_properties(numbers),
            post_commithook_properties=NO_CHECKPOINT,
        )

    def _replace(self, table: DeltaTable, change: _Change, numbers: Numbers) -> None:
        """Put rows in the place of others, through the snapshot whose numbers were compared."""
        write_deltalake(
            table,
            conform(self._spec, change.rows),
            mode="overwrite",
            schema_mode="merge",  # a newer release may have widened the table: what this spec lacks is null
            predicate=change.replacing,
            commit_properties=_properties(numbers),
            post_commithook_properties=NO_CHECKPOINT,
        )

    def _numbers(self, table: DeltaTable, names: Iterable[str]) -> dict[str, int]:
        """Numbers in a loaded snapshot."""
        asked = list(names)
        held = dict(self._known.numbers) if self._known.version == table.version() else {}
        missing = [name for name in asked if name not in held]
        if missing:
            held |= {name: table.transaction_version(name) or 0 for name in missing}
            self._known = _Known(table.version(), held)
        return {name: held[name] for name in asked}

    def _advance(self, table: DeltaTable, positions: Numbers) -> None:
        """Move on to the snapshot with our commit in it; numbers are kept if nobody else's came in between."""
        before = table.version()
        try:
            table.update_incremental()
        except DeltaError:  # the commit is done, so what goes wrong here must not undo it
            self._handle = None
            return
        if self._known.version == before and table.version() == before + 1:
            self._known = _Known(before + 1, {**self._known.numbers, **positions})
        self._handle = table

    def _follow_checkpoints(self, table: DeltaTable) -> None:
        """Open the table anew once a newer checkpoint is there: a handle replays all that came after its own."""
        newest = newer_checkpoint(self._lake, self._spec, table, self._checkpoint, write=self._checkpoints)
        if newest > self._checkpoint:
            self._checkpoint = newest
            self._handle = None

    def _current(self, names: Iterable[str]) -> DeltaTable:
        """The open handle; a new one where maintenance has removed the log entries that an idle one needs."""
        if self._handle is None:
            return self._fresh()
        try:
            self._numbers(self._handle, names)
        except DeltaError:
            return self._fresh()
        return self._handle

    def _fresh(self) -> DeltaTable:
        self._handle = self._lake.ensure(self._spec)
        return self._handle

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn errors of the store into ours; a handle that met one is opened anew, as after a refusal by the fence."""
        try:
            with self._lake.writing(self._spec):
                yield
        except Exception:
            self._handle = None
            raise


def _properties(numbers: Numbers) -> CommitProperties:
    transactions = [Transaction(name, number) for name, number in sorted(numbers.items())]
    return CommitProperties(app_transactions=transactions, max_commit_retries=MAX_ATTEMPTS)


def _refuse_hopeless(error: DeltaError) -> None:
    """Raise errors that a retry cannot fix; a stale handle, or a log that was cleaned or listed half-way, can be
    retried."""
    stale = isinstance(error, CommitFailedError) or "Invalid table version" in str(error)
    if not stale and not is_torn_listing(error):
        raise error
