"""Screening: which rows of a table learning leaves out, by which rule.

Landed rows stay, so one bad row must not stop learning: it is left out, counted and shown. The same rules as in the
table's suite decide, over all rows and in columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from expectations.predicates import UNIQUE, breaks
from expectations.suite import Suite
from lakehouse.first_of_identity import repeats, without_places
from lakehouse.tables.positions import PLACE


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many rows learning leaves out."""

    looked_at: int
    """Rows of the table."""
    rows: int
    """Rows that break a rule, each counted once."""
    by_rule: Mapping[str, int]
    """Rows that break each row rule of the suite; a row may break several."""

    @property
    def broken_rules(self) -> dict[str, int]:
        """The rules that some row breaks, with their rows."""
        return {name: count for name, count in self.by_rule.items() if count}


class Screening:
    """The rows of one table, looked at by the row rules of its suite."""

    def __init__(self, rows: pl.LazyFrame, suite: Suite) -> None:
        """Look at nothing yet.

        Args:
            rows: Of the suite's table, with at least its columns; further ones are kept.
            suite: Whose rules decide.
        """
        self._rows = rows
        self.suite = suite
        self._identity = next((r.name for r in suite.rules if r.leaves_out and r.expectation == UNIQUE), None)
        derived = suite.derive(rows, None)
        schema = derived.collect_schema()
        self._derived = derived
        self._broken = {
            rule.name: breaks(rule, schema) for rule in suite.rules if rule.leaves_out and rule.name != self._identity
        }

    @cached_property
    def counts(self) -> LeftOut:
        """How many rows are left out, by rule: one pass over the rows, and one for repeats of an identity."""
        sums = [broken.sum().alias(name) for name, broken in self._broken.items()]
        found = self._derived.select(pl.len().alias("_rows"), self._any_broken.sum().alias("_left_out"), *sums).collect(
            engine="streaming"
        )
        by_rule = {name: int(found[name][0]) for name in self._broken}
        left_out = int(found["_left_out"][0])
        if self._identity is not None:
            by_rule[self._identity] = self._repeats.height
            left_out += self._repeats.height - self._broken_repeats()
        return LeftOut(int(found["_rows"][0]), left_out, by_rule)

    def kept(self) -> pl.LazyFrame:
        """The rows to learn from, in the columns that were given; all rows as they are where no rule is broken."""
        if not self.counts.rows:
            return self._rows
        columns = self._rows.collect_schema().names()
        good = self._derived.filter(~self._any_broken).select(columns) if self._breaks_any else self._rows
        return without_places(good, self._repeats) if self.counts.by_rule.get(self._identity or "") else good

    def left_out(self, *, examples: int) -> pl.DataFrame:
        """Rows that are left out, the first of each rule by their place in the log, in the suite's order of rules.

        Args:
            examples: How many of each rule.

        Returns:
            The given columns, and `rule`.
        """
        columns = self._rows.collect_schema().names()
        order = [name for name in columns if name in PLACE]
        found = []
        for name, count in self.counts.broken_rules.items():
            rows = self._repeated() if name == self._identity else self._derived.filter(self._broken[name])
            some = rows.sort(order) if order else rows
            found.append(some.head(min(examples, count)).select(pl.lit(name).alias("rule"), *columns).collect())
        if not found:
            return self._rows.head(0).select(pl.lit("").alias("rule"), *columns).collect()
        return pl.concat(found)

    @property
    def _any_broken(self) -> pl.Expr:
        return pl.any_horizontal(*self._broken.values()) if self._broken else pl.lit(value=False)

    @property
    def _breaks_any(self) -> bool:
        return any(count for name, count in self.counts.by_rule.items() if name != self._identity)

    @cached_property
    def _repeats(self) -> pl.DataFrame:
        return repeats(self._rows, within_window=True)

    def _repeated(self) -> pl.LazyFrame:
        return self._rows.join(self._repeats.lazy().select(PLACE), on=list(PLACE), how="semi")

    def _broken_repeats(self) -> int:
        if self._repeats.is_empty():
            return 0
        both = self._derived.filter(self._any_broken).join(
            self._repeats.lazy().select(PLACE), on=list(PLACE), how="semi"
        )
        return int(both.select(pl.len()).collect().item())
