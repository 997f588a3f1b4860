"""Rows that break a row rule are left out, counted and shown; both readings of a rule find the same rows."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from expectations.predicates import breaks
from expectations.rules import Rule, RuleScope, Severity
from expectations.screening import Screening
from expectations.suite import Suite
from expectations.suites.registry import SUITES
from expectations.validation import validate, with_counts
from feedback.bounds import EARLIEST, EARLIEST_US, LATEST
from feedback.errors import ContractViolation
from tests.expectations.frames import NOON, broken, good_feedback, good_interactions, good_items, subject

FEEDBACK = SUITES["feedback"]
GOOD = {"feedback": good_feedback, "items": good_items, "interactions": good_interactions}
ODD: dict[str, list[Any]] = {
    "v": [0, 1, 2, 1000, 1001, None],
    "kind": ["rating", "click", "gossip", "item", None],
    "id": ["", "x" * 128, "é" * 128, "x" * 129, None],
    "subject": [subject(1), "anna", subject(1) + "\n", subject(1).upper(), None],
    "item_id": ["", "i" * 256, "i" * 257, None],
    "value": [1.0, 0.5, 6.0, float("nan"), float("inf"), None],
    "scale_min": [1.0, 9.0, float("nan"), None],
    "scale_max": [5.0, float("-inf"), None],
    "occurred_at": [EARLIEST, LATEST, NOON - timedelta(days=30_000), None],
    "source": ["web", "", None],
    "title": ["t" * 1000, "t" * 1001, "", None],
    "price": [0.0, -0.01, float("nan"), None],
    "currency": ["EUR", "EUR\n", "eur", "", None],
    "updated_at": [EARLIEST, LATEST, None],
    "categories": [[], ["a"], None],
    "explicit": [-1.0, 1.0, 1.01, float("nan"), None],
    "preference": [-1.0, 1.0, 1.01, float("nan"), None],
    "weight": [0.0, -0.1, float("inf"), None],
    "events": [1, 0, None],
    "first_at": [EARLIEST, NOON, LATEST, None],
    "last_at": [EARLIEST, NOON, LATEST, None],
}
IDENTITY = "unique__owner_id"


def odd_rows(suite: Suite, count: int, *, seed: int) -> pl.DataFrame:
    """Good rows, each with one to three odd values."""
    dice = random.Random(seed)
    frame = GOOD[suite.name](count)
    rows = frame.rows(named=True)
    names = sorted(set(ODD) & set(suite.columns))
    for row in rows:
        for name in dice.sample(names, dice.randint(1, 3)):
            row[name] = dice.choice(ODD[name])
    return pl.DataFrame(rows, schema=frame.schema, orient="row")


@pytest.mark.parametrize("name", SUITES)
def test_great_expectations_and_polars_find_the_same_number_of_rows_for_every_rule(name: str) -> None:
    suite = SUITES[name]
    frame = odd_rows(suite, 400, seed=3)

    found = {row.name: row for row in validate(suite, frame)}
    by_rule = Screening(frame.lazy(), suite).counts.by_rule

    rules = [rule.name for rule in suite.rules if rule.leaves_out and rule.name != IDENTITY]
    assert {rule: found[rule].unexpected for rule in rules} == {rule: by_rule[rule] for rule in rules}
    assert all(found[rule].success == (by_rule[rule] == 0) for rule in rules)
    assert sum(by_rule[rule] > 0 for rule in rules) >= len(rules) // 2


@pytest.mark.parametrize("name", SUITES)
def test_what_is_kept_meets_every_rule_of_rows(name: str) -> None:
    suite = SUITES[name]
    frame = odd_rows(suite, 400, seed=4)
    screening = Screening(frame.lazy(), suite)

    kept = screening.kept().collect()

    assert 0 < kept.height < frame.height
    assert screening.counts.rows == frame.height - kept.height
    assert kept.columns == frame.columns
    again = Screening(kept.lazy(), suite)
    assert again.counts.broken_rules == {}
    assert [row.name for row in validate(suite, kept) if not row.success and suite.rule(row.name).leaves_out] == []


def test_good_rows_are_handed_on_as_they_are() -> None:
    frame = good_feedback()

    assert Screening(frame.lazy(), FEEDBACK).kept().collect().equals(frame)


@pytest.mark.parametrize(
    "values",
    [
        {"v": 2},
        {"v": 1000},
        {"occurred_at": EARLIEST},
        {"occurred_at": NOON.replace(year=1969)},
        {"occurred_at": NOON + timedelta(minutes=40)},
        {"occurred_at": LATEST},
        {"received_at": NOON + timedelta(days=2)},
    ],
    ids=["a later version", "the last version", "the year 1", "1969", "40 minutes ahead", "9999", "received ahead"],
)
def test_what_the_gateway_accepts_is_learned_from(values: dict[str, Any]) -> None:
    frame = broken(good_feedback(), 0, **values)

    assert Screening(frame.lazy(), FEEDBACK).counts.rows == 0
    assert [row.name for row in validate(FEEDBACK, frame) if row.stops] == []


def test_a_time_before_the_calendar_is_left_out_though_no_clock_can_show_it() -> None:
    early = pl.lit(EARLIEST_US - 1, pl.Int64).cast(pl.Datetime("us", "UTC"))
    first = pl.int_range(pl.len()) == 0
    frame = good_feedback().with_columns(occurred_at=pl.when(first).then(early).otherwise("occurred_at"))

    assert Screening(frame.lazy(), FEEDBACK).counts.broken_rules == {"between__occurred_at": 1}


def test_an_identity_that_landed_again_counts_once_and_one_row_in_two_rules_is_one_row() -> None:
    frame = good_feedback()
    again = frame.head(2).with_columns(landed_on=date(2026, 3, 15), log_offset=pl.col("log_offset") + 100)
    again = broken(again, 0, v=0, value=99.0)
    screening = Screening(pl.concat([frame, again]).lazy(), FEEDBACK)

    assert screening.counts.rows == 2
    assert screening.counts.broken_rules == {"between__v": 1, "at_least_value__scale_max": 1, IDENTITY: 2}
    assert screening.kept().collect().equals(frame)
    shown = screening.left_out(examples=1)
    assert shown["rule", "log_offset"].rows() == [
        ("between__v", 100),
        ("at_least_value__scale_max", 100),
        (IDENTITY, 100),
    ]


def test_counts_of_the_whole_table_replace_those_of_the_rows_that_were_validated() -> None:
    frame = pl.concat([broken(good_feedback(), 0, v=0), broken(good_feedback(), 1, v=0)])
    screening = Screening(frame.with_row_index("n").with_columns(log_index=pl.col("n").cast(pl.Int32)).lazy(), FEEDBACK)

    found = {r.name: r for r in with_counts(validate(FEEDBACK, frame.head(40)), FEEDBACK, screening.counts)}

    row = found["between__v"]
    assert (row.success, row.stops, row.severity) == (False, False, Severity.WARNING)
    assert (row.unexpected, row.left_out, row.total, row.examples) == (2, 2, 80, ("0",))
    assert row.observed == "2 of 80 rows (2.5 %) are left out of learning"
    assert found["in_set__kind"].observed == "all of 80 rows as expected"


def test_a_rule_without_a_reading_in_columns_is_refused() -> None:
    rule = Rule("odd__v", "ExpectColumnValuesToBeIncreasing", Severity.WARNING, "", columns=("v",), scope=RuleScope.ROW)

    with pytest.raises(ContractViolation, match="odd__v: ExpectColumnValuesToBeIncreasing has no reading"):
        breaks(rule, good_feedback().schema)
