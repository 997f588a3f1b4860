"""Row rules as Polars expressions, with the same meaning as in Great Expectations, for tables of any size.

A missing value breaks only `not_null` rules, and NaN counts as missing.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from expectations.rules import Rule
from feedback.errors import ContractViolation

UNIQUE = "ExpectCompoundColumnsToBeUnique"
"""Rules on several rows, such as uniqueness, are checked by `expectations.screening`."""


def breaks(rule: Rule, schema: pl.Schema) -> pl.Expr:
    """Whether a row breaks the rule; never null.

    Args:
        rule: A rule about single rows.
        schema: Of the rows, derived columns included. A rule about a column that is not there is broken by no row.

    Raises:
        ContractViolation: The rule's expectation has no reading in columns.
    """
    if any(name not in schema for name in rule.columns):
        return pl.lit(value=False)
    broken = _broken(rule, *(_value(name, schema) for name in rule.columns))
    if rule.condition is not None:
        broken &= pl.col(rule.condition.column).is_in(list(rule.condition.values))
    return broken.fill_null(value=False)


def _broken(rule: Rule, column: pl.Expr, other: pl.Expr | None = None) -> pl.Expr:
    arguments = rule.arguments
    match rule.expectation:
        case "ExpectColumnValuesToNotBeNull":
            return column.is_null()
        case "ExpectColumnValuesToBeInSet":
            return ~column.is_in(arguments["value_set"])
        case "ExpectColumnValuesToBeBetween":
            low, high = (_literal(arguments.get(name)) for name in ("min_value", "max_value"))
            return (column < low).fill_null(value=False) | (column > high).fill_null(value=False)
        case "ExpectColumnValueLengthsToBeBetween":
            return ~column.str.len_chars().is_between(arguments["min_value"], arguments["max_value"])
        case "ExpectColumnValuesToMatchRegex":
            return ~column.str.contains(arguments["regex"].replace(r"\Z", "$"))
        case "ExpectColumnPairValuesAToBeGreaterThanB":
            return column < other
    raise ContractViolation(f"rule {rule.name}: {rule.expectation} has no reading in columns; add one to `predicates`")


def _value(name: str, schema: pl.Schema) -> pl.Expr:
    column = pl.col(name)
    return column.fill_nan(None) if schema[name].is_float() else column


def _literal(bound: float | datetime | None) -> pl.Expr:
    """A bound as a literal; a time of the pandas frame has no zone and is UTC."""
    if isinstance(bound, datetime):
        return pl.lit(bound.replace(tzinfo=UTC), dtype=pl.Datetime("us", "UTC"))
    return pl.lit(bound)
