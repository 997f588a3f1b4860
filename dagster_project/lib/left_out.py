"""What learning leaves out, by table and rule, with examples: for `heed left-out`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from dagster_project.lib.catalogue import Catalogue, build_catalogue
from dagster_project.lib.learned import catalogue_events, screened_interactions
from expectations.screening import Screening
from expectations.suite import Suite
from expectations.suites.feedback import FEEDBACK_SUITE
from expectations.suites.items import ITEMS_SUITE
from feedback.bounds import EARLIEST, LATEST
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

FEEDBACK_SHOWN = ("kind", "source", "id", "item_id", "occurred_at", "landed_on")
ITEMS_SHOWN = ("item_id", "title", "updated_at")
UNREADABLE = "the payload of an entry is the JSON of a catalogue entry"


class LeftOutExample(msgspec.Struct, frozen=True, kw_only=True):
    """One row that is left out."""

    place: str | None
    """Where its event stands in the log: partition/offset/index; null for an interaction."""
    values: dict[str, str | None]
    """What it is, and the values that the rule looks at, by column."""


class LeftOutGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one table that break one rule."""

    table: str
    rule: str
    meaning: str
    """What the rule asks for."""
    rows: int
    of: int
    """Rows that were looked at."""
    examples: list[LeftOutExample]


def left_out_groups(lake: Lake, *, examples: int) -> Iterator[LeftOutGroup]:
    """Rows of `feedback`, catalogue entries and interactions that learning leaves out now, by rule.

    Args:
        lake: Where.
        examples: How many rows of each rule to show.
    """
    if not lake.exists(FEEDBACK):
        return
    feedback = lake.scan(FEEDBACK)
    yield from _groups(Screening(feedback, FEEDBACK_SUITE), FEEDBACK_SUITE, FEEDBACK_SHOWN, examples)
    yield from _entries(build_catalogue(catalogue_events(feedback)), examples)
    interactions = screened_interactions(feedback)
    yield from _groups(interactions, interactions.suite, ("subject", "item_id"), examples)


def _groups(screening: Screening, suite: Suite, shown: Sequence[str], examples: int) -> Iterator[LeftOutGroup]:
    rows = screening.left_out(examples=examples)
    for name, count in screening.counts.broken_rules.items():
        rule = suite.rule(name)
        columns = dict.fromkeys([*shown, *(column for column in rule.columns if column in rows.columns)])
        yield LeftOutGroup(
            table=suite.name,
            rule=name,
            meaning=rule.meaning,
            rows=count,
            of=screening.counts.looked_at,
            examples=_examples(rows.filter(pl.col("rule") == name), list(columns)),
        )


def _entries(catalogue: Catalogue, examples: int) -> Iterator[LeftOutGroup]:
    meanings = {rule.name: rule.meaning for rule in ITEMS_SUITE.rules}
    for name, count in catalogue.left_out_by_rule.items():
        rule = next((rule.columns for rule in ITEMS_SUITE.rules if rule.name == name), ())
        mine = catalogue.left_out.filter(pl.col("rule") == name).head(examples)
        yield LeftOutGroup(
            table=ITEMS_SUITE.name,
            rule=name,
            meaning=meanings.get(name, UNREADABLE),
            rows=count,
            of=catalogue.rows.height + catalogue.left_out.height,
            examples=_examples(mine, list(dict.fromkeys([*ITEMS_SHOWN, *rule]))),
        )


def _examples(rows: pl.DataFrame, columns: list[str]) -> list[LeftOutExample]:
    placed = set(PLACE) <= set(rows.columns)
    place = pl.format("{}/{}/{}", *PLACE) if placed else pl.lit(None, pl.String)
    shown = rows.select(place.alias("_place"), *(_text(rows, name) for name in columns if name not in PLACE))
    return [
        LeftOutExample(
            place=row.pop("_place"), values={name: value for name, value in row.items() if value is not None}
        )
        for row in shown.iter_rows(named=True)
    ]


def _text(rows: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(rows.schema[name], pl.Datetime):  # a time outside the calendar cannot be formatted
        within = pl.when(column.is_between(EARLIEST, LATEST)).then(column).cast(pl.String)
        return pl.coalesce(within, column.dt.epoch("us").cast(pl.String) + " µs since 1970").alias(name)
    return column.cast(pl.String)
