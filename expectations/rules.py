"""A rule of a suite: one Great Expectations expectation with its severity, declared without importing the library.

The library takes ten seconds and more to import; Dagster must know every check's name, severity and meaning when
its code location loads. So a suite is declared from these light rules. They have two readings: expectations
(`expectations.validation`), and for rules about single rows Polars expressions (`expectations.predicates`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from feedback.errors import ContractViolation
from lakehouse.tables.spec import TableSpec


class Severity(StrEnum):
    """The severity of a failed rule: stop, warn, or inform."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class RuleScope(StrEnum):
    """What a rule is about: single rows, or the whole table."""

    ROW = "row"
    """Each row. Rows that break it are left out of learning, counted and shown; nothing stops."""
    TABLE = "table"
    """The table as a whole, such as its types or a share of its rows. Where it is critical, learning stops."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule looks only at the rows where a column is one of these values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation: its name, GX class, arguments and severity."""

    name: str
    expectation: str
    severity: Severity
    meaning: str
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    condition: Condition | None = None
    """Only rows that meet it are looked at."""
    scope: RuleScope = RuleScope.TABLE

    @property
    def leaves_out(self) -> bool:
        """Whether learning leaves out the rows that break it."""
        return self.scope is RuleScope.ROW


def damage(rule: Rule) -> Rule:
    """The rule as one about the table: no sender can break it, so learning stops where it is broken."""
    return replace(rule, scope=RuleScope.TABLE, severity=Severity.CRITICAL)


def build_column_rules(spec: TableSpec, columns: Sequence[str], *, own: Sequence[str] = ()) -> list[Rule]:
    """Types and not-null of these columns, as the table's spec declares them.

    Args:
        spec: The table.
        columns: Of these.
        own: Columns that Heed fills by itself: a null in one of them is damage, not a bad row.
    """
    rules: list[Rule] = []
    for column in spec.columns:
        if column.name not in columns:
            continue
        types = pandas_types(column.type, nullable=column.nullable)
        if types:
            rules.append(typed(column.name, types))
        if not column.nullable:
            present = not_null(column.name, f"every row has it: {column.meaning}")
            rules.append(damage(present) if column.name in own else present)
    return rules


def pandas_types(type_: pa.DataType, *, nullable: bool) -> tuple[str, ...]:
    """The pandas name of an Arrow type in the frame of `expectations.validation`; empty where pandas cannot tell.

    Times stand there as UTC without a zone: the library knows no name for pandas' zoned type.

    Raises:
        ContractViolation: The type is not one that the tables use.
    """
    if pa.types.is_list(type_) or pa.types.is_binary(type_):
        return ()
    if pa.types.is_string(type_):
        return ("str",)
    if pa.types.is_boolean(type_):
        return ("bool",)
    if pa.types.is_timestamp(type_):
        return (f"datetime64[{type_.unit}]",)
    if pa.types.is_date(type_):
        return ("datetime64[ms]",)
    if pa.types.is_floating(type_):
        return (str(type_).replace("double", "float64"),)
    if pa.types.is_integer(type_):  # pandas turns an integer column with nulls into floats
        return (str(type_), "float64") if nullable else (str(type_),)
    raise ContractViolation(f"no rule for Arrow type {type_}; add one to expectations.rules.pandas_types")


def typed(column: str, types: Sequence[str]) -> Rule:
    """The column holds values of these pandas types."""
    return Rule(
        name=f"typed__{column}",
        expectation="ExpectColumnValuesToBeInTypeList",
        severity=Severity.CRITICAL,
        meaning=f"holds {' or '.join(types)}",
        columns=(column,),
        arguments={"type_list": list(types)},
    )


def not_null(column: str, meaning: str, *, where: Condition | None = None) -> Rule:
    """The column has a value in every row that meets the condition."""
    return Rule(
        name=f"not_null__{column}",
        expectation="ExpectColumnValuesToNotBeNull",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column,),
        condition=where,
    )


def in_set(column: str, values: Sequence[object], meaning: str) -> Rule:
    """Every value is one of these."""
    return Rule(
        name=f"in_set__{column}",
        expectation="ExpectColumnValuesToBeInSet",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column,),
        arguments={"value_set": list(values)},
    )


def share_true(column: str, share: float, meaning: str, severity: Severity = Severity.WARNING) -> Rule:
    """At least this share of the rows is true."""
    return Rule(
        name=f"share__{column}",
        expectation="ExpectColumnValuesToBeInSet",
        severity=severity,
        meaning=meaning,
        columns=(column,),
        arguments={"value_set": [True], "mostly": share},
    )


def share_present(column: str, share: float, meaning: str, severity: Severity = Severity.INFO) -> Rule:
    """At least this share of the rows has a value."""
    return Rule(
        name=f"share__{column}",
        expectation="ExpectColumnValuesToNotBeNull",
        severity=severity,
        meaning=meaning,
        columns=(column,),
        arguments={"mostly": share},
    )


def between(column: str, lowest: float | datetime | None, highest: float | datetime | None, meaning: str) -> Rule:
    """Every value lies between the two, both included."""
    bounds = {"min_value": lowest, "max_value": highest}
    return Rule(
        name=f"between__{column}",
        expectation="ExpectColumnValuesToBeBetween",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column,),
        arguments={name: bound for name, bound in bounds.items() if bound is not None},
    )


def at_least(column: str, other: str, meaning: str) -> Rule:
    """In every row that has both, the column is not below the other one."""
    return Rule(
        name=f"at_least_{other}__{column}",
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column, other),
        arguments={
            "column_A": column,
            "column_B": other,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
    )


def mostly(rule: Rule, share: float, severity: Severity = Severity.INFO) -> Rule:
    """The rule as one about the table: at least this share of the rows keeps it. No row is left out."""
    return replace(rule, scope=RuleScope.TABLE, severity=severity, arguments={**rule.arguments, "mostly": share})


def unique(columns: Sequence[str], meaning: str) -> Rule:
    """No two rows agree in all of these columns."""
    return Rule(
        name=f"unique__{'_'.join(columns)}",
        expectation="ExpectCompoundColumnsToBeUnique" if len(columns) > 1 else "ExpectColumnValuesToBeUnique",
        severity=Severity.CRITICAL,
        meaning=meaning,
        columns=tuple(columns),
        arguments={"column_list": list(columns)} if len(columns) > 1 else {},
    )


def first_of(columns: Sequence[str], meaning: str, *, name: str) -> Rule:
    """Of rows that agree in all of these columns, the first counts; the later ones are left out."""
    return replace(unique(columns, meaning), name=name, scope=RuleScope.ROW, severity=Severity.WARNING)


def matches(column: str, regex: str, meaning: str) -> Rule:
    r"""Every value has this form; `regex` stands between `^` and `\Z`."""
    return Rule(
        name=f"matches__{column}",
        expectation="ExpectColumnValuesToMatchRegex",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column,),
        arguments={"regex": rf"^{regex}\Z"},
    )


def lengths(column: str, shortest: int, longest: int, meaning: str) -> Rule:
    """Every text has a length between the two."""
    return Rule(
        name=f"length__{column}",
        expectation="ExpectColumnValueLengthsToBeBetween",
        severity=Severity.WARNING,
        scope=RuleScope.ROW,
        meaning=meaning,
        columns=(column,),
        arguments={"min_value": shortest, "max_value": longest},
    )


def has_rows(meaning: str, severity: Severity) -> Rule:
    """There is at least one row."""
    return Rule(
        name="has_rows__table",
        expectation="ExpectTableRowCountToBeBetween",
        severity=severity,
        meaning=meaning,
        arguments={"min_value": 1},
    )
