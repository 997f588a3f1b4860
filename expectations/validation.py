"""Validate a frame against a suite: Great Expectations on its pandas engine, one typed row per rule.

The library is imported on first use (ten seconds and more). A frame without rows, or a column that is not there, is
answered without it: an expectation says nothing clear about either.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from expectations.rules import Rule, Severity
from expectations.screening import LeftOut
from expectations.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5
"""Unexpected values that a result shows."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """What one rule found in one frame."""

    suite: str
    name: str
    expectation: str
    """The Great Expectations type, such as `expect_column_values_to_not_be_null`."""
    severity: Severity
    success: bool
    observed: str
    """What was seen, in words."""
    unexpected: int
    """Rows that break the rule."""
    total: int
    """Rows that were looked at."""
    examples: tuple[str, ...]
    meaning: str
    left_out: int = 0
    """Rows of the whole table that learning leaves out because they break this rule."""

    @property
    def stops(self) -> bool:
        """Whether nothing may be learned from this data."""
        return not self.success and self.severity is Severity.CRITICAL


def validate(suite: Suite, frame: pl.DataFrame, *, catalogue: pl.Series | None = None) -> list[CheckRow]:
    """Hold rows of a table against its suite, rule by rule in the suite's order.

    Args:
        suite: The suite of the table that the rows come from.
        frame: The rows; columns that no rule reads are ignored.
        catalogue: Item ids of the catalogue, for suites that compare with it; `None` where there is none.
    """
    rows = suite.derive(frame.select([name for name in suite.columns if name in frame.columns]), catalogue)
    answered = {rule.name: _without_library(suite, rule, rows) for rule in suite.rules}
    open_rules = [rule for rule in suite.rules if answered[rule.name] is None]
    if open_rules:
        answered |= _with_library(suite, open_rules, rows)
    return [row for rule in suite.rules if (row := answered[rule.name]) is not None]


def with_counts(found: Sequence[CheckRow], suite: Suite, counts: LeftOut) -> list[CheckRow]:
    """The results, with each row rule's figures over the whole table instead of the rows that were validated."""
    return [_counted(row, counts) if suite.rule(row.name).leaves_out else row for row in found]


def _counted(row: CheckRow, counts: LeftOut) -> CheckRow:
    broken, total = counts.by_rule[row.name], counts.looked_at
    if not broken:
        words = f"all of {total:,} rows as expected" if total else row.observed
        return replace(row, success=True, observed=words, unexpected=0, total=total, examples=())
    share = 100.0 * broken / total
    words = f"{broken:,} of {total:,} rows ({share:.3g} %) are left out of learning"
    return replace(row, success=False, observed=words, unexpected=broken, total=total, left_out=broken)


def gx_expectation(rule: Rule) -> Any:  # noqa: ANN401 - the library is imported lazily
    """The rule as an expectation of Great Expectations."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    arguments: dict[str, Any] = dict(rule.arguments)
    if len(rule.columns) == 1:
        arguments["column"] = rule.columns[0]
    if rule.condition is not None:
        arguments["row_condition"] = Column(rule.condition.column).is_in(list(rule.condition.values))
    kind = getattr(gxe, rule.expectation)
    return kind(**arguments, severity=rule.severity.value, meta={"rule": rule.name}, notes=rule.meaning)


def pandas_frame(rows: pl.DataFrame) -> pd.DataFrame:
    """The rows as the rules see them: lists as one text each, and times in UTC without a zone."""
    zoned = pl.col(pl.Datetime("us", "UTC")).dt.replace_time_zone(None)
    lists = pl.col(pl.List(pl.String)).list.join(", ")
    return rows.with_columns(zoned, lists).to_pandas()


@contextmanager
def quiet_library() -> Iterator[None]:
    """Great Expectations without progress bars, and without its own and its dependencies' warnings."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def open_context() -> Any:  # noqa: ANN401 - the library is imported lazily
    """An ephemeral context: nothing on disk, no progress bars, no analytics."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def snake_case(expectation: str) -> str:
    """The library's type name of an expectation class."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in expectation).lstrip("_")


def _without_library(suite: Suite, rule: Rule, rows: pl.DataFrame) -> CheckRow | None:
    if rows.is_empty() and rule.expectation == "ExpectTableRowCountToBeBetween":
        return _row(suite, rule, success=False, observed="no rows")
    missing = [name for name in rule.columns if name not in rows.columns]
    if missing:
        return _row(suite, rule, success=False, observed=f"column {', '.join(missing)} is missing", total=rows.height)
    if rows.is_empty():
        return _row(suite, rule, success=True, observed="no rows to look at")
    return None


def _with_library(suite: Suite, rules: Sequence[Rule], rows: pl.DataFrame) -> dict[str, CheckRow]:
    with quiet_library():
        import great_expectations as gx

        source = open_context().data_sources.add_pandas(suite.name)
        definition = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("rows")
        batch = definition.get_batch({"dataframe": pandas_frame(rows)})
        expected = gx.ExpectationSuite(suite.name, expectations=[gx_expectation(rule) for rule in rules])
        found = batch.validate(
            expected, result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
        )
    by_name = {result.expectation_config.meta["rule"]: result for result in found.results}
    return {rule.name: _result_row(suite, rule, by_name[rule.name], rows.height) for rule in rules}


def _result_row(suite: Suite, rule: Rule, result: Any, height: int) -> CheckRow:  # noqa: ANN401 - a GX result
    detail = result.result or {}
    raised = [info["exception_message"] for info in _exceptions(result.exception_info) if info.get("raised_exception")]
    if raised:
        return _row(suite, rule, success=False, observed=f"could not be evaluated: {raised[0]}", total=height)
    unexpected = int(detail.get("unexpected_count") or 0)
    total = int(detail.get("element_count") or height)
    return _row(
        suite,
        rule,
        success=bool(result.success),
        observed=_observed(rule, detail, unexpected, total),
        unexpected=unexpected,
        total=total,
        examples=tuple(dict.fromkeys(_shown(value) for value in detail.get("partial_unexpected_list") or [])),
    )


def _exceptions(info: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The library gives one record, or one per metric."""
    if not info:
        return []
    if "raised_exception" in info:
        return [info]
    return [part for part in info.values() if isinstance(part, dict)]


def _observed(rule: Rule, detail: dict[str, Any], unexpected: int, total: int) -> str:
    if "observed_value" in detail:
        return str(detail["observed_value"])
    percent = 100.0 * unexpected / total if total else 0.0
    if "mostly" in rule.arguments:
        return f"{100.0 - percent:.2f} % of {total:,} rows as expected, {float(rule.arguments['mostly']):.0%} wanted"
    if not unexpected:
        return f"all of {total:,} rows as expected"
    return f"{unexpected:,} of {total:,} rows ({percent:.3g} %) are not as expected"


def _shown(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "null"
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(part)}" for name, part in value.items())
    if isinstance(value, tuple | list):
        return " / ".join(_shown(part) for part in value)
    return str(value)[:120]


def _row(
    suite: Suite,
    rule: Rule,
    *,
    success: bool,
    observed: str,
    unexpected: int = 0,
    total: int = 0,
    examples: tuple[str, ...] = (),
) -> CheckRow:
    return CheckRow(
        suite=suite.name,
        name=rule.name,
        expectation=snake_case(rule.expectation),
        severity=rule.severity,
        success=success,
        observed=observed,
        unexpected=unexpected,
        total=total,
        examples=examples,
        meaning=rule.meaning,
    )
