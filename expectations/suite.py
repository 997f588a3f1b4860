"""A suite: the rules of one table, and the function that derives the columns they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl

from expectations.rules import Rule, Severity
from lakehouse.tables.spec import TableSpec

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


class Derive(Protocol):
    """Rows of the table and the catalogue's item ids (where they are known) to the frame that the rules look at."""

    def __call__(self, rows: Frame, catalogue: pl.Series | None = None, /) -> Frame:
        """Add the columns that rules compare with."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """The rules of one table."""

    table: TableSpec
    rules: tuple[Rule, ...]
    columns: tuple[str, ...]
    """The table's columns that the rules read; nothing else is loaded."""
    derive: Derive
    keys: tuple[tuple[str, ...], ...]
    """Column sets that make a row unique; looked for over the whole table, however large it is."""
    needs_catalogue: bool = False

    @property
    def name(self) -> str:
        """The suite's name: its table's."""
        return self.table.name

    def rule(self, name: str) -> Rule:
        """The rule of this name."""
        return next(rule for rule in self.rules if rule.name == name)

    def names(self, severity: Severity) -> tuple[str, ...]:
        """The names of all rules of one severity."""
        return tuple(rule.name for rule in self.rules if rule.severity is severity)
