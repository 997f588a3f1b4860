"""What a Delta table is declared with: its columns, key and partitioning, and which columns are about a person.

A table evolves by a declared migration: its `version` goes up by one and it gains nullable columns that name that
version (`added_in`); a column is never renamed, removed or given another type. `lakehouse.evolution` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from feedback.errors import ContractViolation

TIME = pa.timestamp("us", tz="UTC")
ATTRIBUTE_TYPES = (pa.string(), pa.float64(), pa.int64(), pa.int32())
"""What a column can be filled with out of the JSON of `attributes`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, meaning, whether it may be null, and since which version of its table it is there.

    Attributes:
        personal: Whether a value alone, without the row's subject, may identify a person (a pseudonym, an order, a
            visit), describe one (device, place, consent) or hold what one wrote.
        attribute: The key of `attributes` under which its values were kept before there was a column. Older rows are
            then read, and lines of older producers landed, as if the column had always been there.
    """

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = True
    added_in: int = 1
    attribute: str | None = None
    personal: bool = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.added_in > 1 and not self.nullable:
            raise ContractViolation(f"column {self.name}: new columns must be nullable, older rows have no value")
        if self.attribute is not None and not (self.attribute.isidentifier() and self.type in ATTRIBUTE_TYPES):
            raise ContractViolation(
                f"column {self.name}: an attribute must be named like a variable and hold text or a number, "
                f"got {self.attribute!r} as {self.type}"
            )


def required(name: str, type_: pa.DataType, meaning: str, *, personal: bool) -> Column:
    """A column that is never null."""
    return Column(name, type_, meaning, nullable=False, personal=personal)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One Delta table: its columns, the key that makes a row unique, and how it is partitioned."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    version: int = 1
    subject: str | None = None
    """The column that names the person a row is about; None where no column does."""
    built_from: tuple[str, ...] = ()
    """The tables whose rows it is computed from; empty where it is written straight from the feedback log."""
    stats_columns: tuple[str, ...] = field(default=())
    """Columns whose minimum and maximum may stand in the Delta log; never personal ones."""
    unlike_columns: tuple[str, ...] = ()
    """Columns whose values hardly repeat: the writer would build a dictionary of each only to give it up."""
    cluster_by: tuple[str, ...] = ()
    """What rows of a closed day are put next to each other by; names that the table does not have yet are left out."""
    latest_by: str = ""
    """The last column of the key, where a row with a higher one replaces those with a lower one."""

    def __post_init__(self) -> None:
        ahead = [column.name for column in self.columns if column.added_in > self.version]
        if ahead:
            raise ContractViolation(f"table {self.name} is at version {self.version}; {ahead} come later, raise it")
        personal = {column.name for column in self.columns if column.personal}
        if self.subject is not None and self.subject not in personal:
            raise ContractViolation(
                f"table {self.name}: its subject {self.subject!r} is not one of its personal columns"
            )
        if shown := sorted(personal.intersection(self.stats_columns)):
            raise ContractViolation(f"table {self.name}: statistics would copy the personal {shown} into the Delta log")

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)
