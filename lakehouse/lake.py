"""The lake: Delta tables under one root, made and evolved from their specs.

Readers get Polars frames; Spark gets file addresses. Landing's exactly-once commits live in `lakehouse.commit`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    PostCommitHookProperties,
    Schema,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import DeltaError, TableNotFoundError

from feedback.errors import ContractViolation, LakeError, TableMissing
from feedback.settings.folders import refuse_unusable_folder
from feedback.settings.home import Settings
from lakehouse.evolution import absent_columns, filled_from_attributes
from lakehouse.landed.positions import application_id, note_id
from lakehouse.local_table import LocalTable
from lakehouse.store_errors import is_torn_listing, plain
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.spec import TableSpec

CHECKPOINT_EVERY_COMMITS = 100
ROWS_AT_ONCE = 1 << 18
"""Rows that are read in one go where all of a table may be too many: bounds the working memory."""
LOG_RETENTION = "interval 7 days"
LISTING_PAUSES_SECONDS = (0.01, 0.03, 0.1, 0.3)
"""Between looks at a log folder whose listing was torn; one look takes a few milliseconds."""


class Lake:
    """Delta tables under one root folder or object-store prefix."""

    def __init__(
        self, root: str, storage_options: Mapping[str, str] | None = None, *, lock_folder: Path | None = None
    ) -> None:
        self._root = root.rstrip("/")
        self._options = dict(storage_options or {})
        self._lock_folder = lock_folder

    @property
    def storage_options(self) -> dict[str, str]:
        """Storage options of the object store."""
        return dict(self._options)

    @property
    def root(self) -> str:
        """The folder or object-store prefix of all tables."""
        return self._root

    def lock_file(self, name: str) -> Path:
        """A lock over the whole lake: beside a local lake's tables, else in the home's folder of process files.

        Raises:
            LakeError: The lake is on an object store and was opened without a home.
        """
        if "://" not in self._root:
            return Path(self._root) / f".{name}.lock"
        if self._lock_folder is None:
            raise LakeError(f"lake {self._root}: maintenance of an object store needs the home it belongs to")
        return self._lock_folder / f"lake-{name}.lock"

    def uri(self, spec: TableSpec) -> str:
        """The address of a table."""
        return f"{self._root}/{spec.name}"

    def exists(self, spec: TableSpec) -> bool:
        """Whether the table was ever written.

        Raises:
            LakeError: The store does not answer.
        """
        try:
            return DeltaTable.is_deltatable(self.uri(spec), storage_options=self._options or None)
        except (DeltaError, OSError) as error:
            raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be looked for: {plain(error)}") from error

    def table(self, spec: TableSpec) -> DeltaTable:
        """The table's current snapshot.

        Raises:
            TableMissing: Nothing was written to it yet.
        """
        try:
            return self._opened(spec)
        except TableNotFoundError as error:
            raise TableMissing(
                f"table {spec.name} at {self.uri(spec)} does not exist yet; `heed run` lands and builds it"
            ) from error
        except (DeltaError, OSError) as error:
            raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be opened: {plain(error)}") from error

    def _opened(self, spec: TableSpec) -> DeltaTable:
        handle = DeltaTable if "://" in self._root else LocalTable
        for pause in LISTING_PAUSES_SECONDS:
            try:
                return handle(self.uri(spec), storage_options=self._options or None)
            except DeltaError as error:
                if not is_torn_listing(error):
                    raise
                time.sleep(pause)
        return handle(self.uri(spec), storage_options=self._options or None)

    def ensure(self, spec: TableSpec) -> DeltaTable:
        """The table's current snapshot, made on first use and widened by columns that its spec has gained."""
        if not self.exists(spec):
            self._create(spec)
        table = self.table(spec)
        missing = [name for name in spec.names if name not in {f.name for f in table.schema().fields}]
        if missing:
            _add_columns(table, spec, missing)
            table = self.table(spec)
        return table

    def _create(self, spec: TableSpec) -> None:
        try:
            if "://" not in self._root:
                Path(self._root).mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                self.uri(spec),
                schema=Schema.from_arrow(spec.schema),
                mode="ignore",
                partition_by=list(spec.partition_by) or None,
                description=spec.grain,
                configuration=_properties(spec),
                storage_options=self._options or None,
            )
        except (DeltaError, OSError) as error:
            if not self.exists(spec):  # else another worker that started with this one was quicker
                raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be made: {plain(error)}") from error

    @contextmanager
    def reading(self, spec: TableSpec) -> Iterator[None]:
        """Context in which a scan is collected; errors of the store are raised as ours.

        Raises:
            LakeError: The table's files cannot be read.
        """
        try:
            yield
        except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
            raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be read: {plain(error)}") from error

    def in_parts(self, spec: TableSpec, rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        """Rows of a scan of the table, `ROWS_AT_ONCE` at a time and in no order of their own: in bounded memory.

        Raises:
            LakeError: The table's files cannot be read.
        """
        with self.reading(spec):
            yield from rows.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=False, engine="streaming")

    @contextmanager
    def writing(self, spec: TableSpec) -> Iterator[None]:
        """Context in which files or commits are written; errors of the store are raised as ours.

        Raises:
            LakeError: The table cannot be written.
        """
        try:
            yield
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be written: {plain(error)}") from error

    def scan(self, spec: TableSpec, *, version: int | None = None) -> pl.LazyFrame:
        """The table's rows, lazily, with exactly the spec's columns.

        Columns that an old version lacks are null, or filled from where their values stood before; those that a
        newer release has added are left out.

        Raises:
            TableMissing: Nothing was written to it yet.
        """
        table = self.table(spec)
        if version is not None:
            table.load_as_version(version)
        frame = pl.scan_delta(table)
        absent = absent_columns(spec.columns, frame.collect_schema().names())
        filled = filled_from_attributes(spec.columns)
        return frame.with_columns(absent).with_columns(filled).select(spec.names)

    def version(self, spec: TableSpec) -> int | None:
        """The table's current version; `None` before the first write."""
        return self.table(spec).version() if self.exists(spec) else None

    def row_count(self, spec: TableSpec) -> int:
        """Rows in the table; 0 before the first write."""
        if not self.exists(spec):
            return 0
        return int(self.scan(spec).select(pl.len()).collect().item())

    def append(self, spec: TableSpec, rows: pa.Table | pl.DataFrame) -> int:
        """Append rows in one commit; returns the new version.

        Raises:
            ContractViolation: The rows do not match the spec.
        """
        return self._write(spec, rows, mode="append")

    def overwrite(self, spec: TableSpec, rows: pa.Table | pl.DataFrame) -> int:
        """Replace every row in one commit; returns the new version.

        Raises:
            ContractViolation: The rows do not match the spec.
        """
        return self._write(spec, rows, mode="overwrite")

    def file_uris(self, spec: TableSpec) -> list[str]:
        """The data files of the current version, for engines that read Parquet themselves."""
        return self.table(spec).file_uris()

    def positions(
        self, log_name: str, partitions: int, spec: TableSpec = FEEDBACK, *, version: int | None = None
    ) -> dict[int, int]:
        """Per log partition, the next offset to land, as committed with the table's rows."""
        if not self.exists(spec):
            return dict.fromkeys(range(partitions), 0)
        table = self.table(spec)
        if version is not None:
            table.load_as_version(version)
        return {p: table.transaction_version(application_id(log_name, p)) or 0 for p in range(partitions)}

    def notes(self, names: Iterable[str]) -> dict[str, int]:
        """Named numbers that are kept with the positions of `feedback`; 0 for a name that was never set."""
        if not self.exists(FEEDBACK):
            return dict.fromkeys(names, 0)
        table = self.table(FEEDBACK)
        return {name: table.transaction_version(note_id(name)) or 0 for name in names}

    def note(self, numbers: Mapping[str, int]) -> None:
        """Set named numbers with the positions of `feedback`, all in one commit."""
        transactions = [Transaction(note_id(name), number) for name, number in sorted(numbers.items())]
        table = self.ensure(FEEDBACK)
        try:
            table.create_write_transaction(
                actions=[],
                mode="append",
                schema=table.schema(),
                partition_by=list(FEEDBACK.partition_by),
                commit_properties=CommitProperties(app_transactions=transactions),
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=False, cleanup_expired_logs=False
                ),
            )
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"table feedback at {self.uri(FEEDBACK)}: a note cannot be written: {plain(error)}"
            ) from error

    def versions(self) -> dict[str, int]:
        """The current version of every table that exists."""
        from lakehouse.tables.registry import TABLES

        found = {name: self.version(spec) for name, spec in TABLES.items()}
        return {name: version for name, version in found.items() if version is not None}

    def _write(self, spec: TableSpec, rows: pa.Table | pl.DataFrame, *, mode: str) -> int:
        table = self.ensure(spec)
        arrow = rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows
        try:
            write_deltalake(  # type: ignore[call-overload]
                table,
                conform(spec, arrow),
                mode=mode,
                schema_mode="merge",  # a newer release may have widened the table: what this spec lacks is null
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=False,  # maintenance does: two at once can tear one (delta-rs#4433)
                    cleanup_expired_logs=False,
                ),
            )
        except (DeltaError, OSError) as error:
            raise LakeError(f"table {spec.name} at {self.uri(spec)} cannot be written: {plain(error)}") from error
        return self.table(spec).version()


def open_lake(settings: Settings) -> Lake:
    """The lake that the settings name.

    Raises:
        HomeError: Its folder cannot hold tables.
    """
    if "://" not in settings.lake.uri:
        refuse_unusable_folder(settings.lake.uri)
    return Lake(settings.lake.uri, settings.lake.options, lock_folder=settings.paths.run_folder)


def conform(spec: TableSpec, rows: pa.Table) -> pa.Table:
    """Bring a frame to its spec's column order and exact types.

    Raises:
        ContractViolation: A column is missing, unknown, of another type, or null where it may not be.
    """
    missing = sorted(set(spec.names) - set(rows.column_names))
    unknown = sorted(set(rows.column_names) - set(spec.names))
    if missing or unknown:
        raise ContractViolation(f"{spec.name}: missing columns {missing}, unknown columns {unknown}")
    columns = []
    for column in spec.columns:
        values = rows.column(column.name)
        try:
            cast = values.cast(column.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ContractViolation(
                f"{spec.name}.{column.name}: expected {column.type}, got {values.type}: {error}"
            ) from error
        if not column.nullable and cast.null_count:
            raise ContractViolation(f"{spec.name}.{column.name}: {cast.null_count} nulls in a column that has none")
        columns.append(cast)
    return pa.table(columns, schema=spec.schema)


def _properties(spec: TableSpec) -> dict[str, str | None]:
    return {
        "delta.checkpointInterval": str(CHECKPOINT_EVERY_COMMITS),
        "delta.logRetentionDuration": LOG_RETENTION,
        "delta.dataSkippingStatsColumns": ",".join(_columns_with_statistics(spec)),
    }


def _columns_with_statistics(spec: TableSpec) -> tuple[str, ...]:
    """At least one column: with an empty list Delta keeps statistics of the first 32."""
    impersonal = tuple(column.name for column in spec.columns if not column.personal)
    return spec.stats_columns or impersonal[:1]


def _add_columns(table: DeltaTable, spec: TableSpec, names: list[str]) -> None:
    required = [c.name for c in spec.columns if c.name in names and not c.nullable]
    if required:
        raise ContractViolation(f"{spec.name}: new columns must be nullable, {required} are not")
    fields = Schema.from_arrow(pa.schema([spec.schema.field(name) for name in names])).fields
    table.alter.add_columns([Field(f.name, f.type, nullable=True) for f in fields])
