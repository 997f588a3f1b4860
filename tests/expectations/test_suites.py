from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from expectations.rules import Severity
from expectations.screening import Screening
from expectations.suites.registry import SUITES
from expectations.validation import CheckRow, validate
from feedback.bounds import EARLIEST_US, LATEST_US
from tests.expectations.frames import NOON, broken, good_feedback, good_interactions, good_items, subject

GOOD: dict[str, Callable[[], pl.DataFrame]] = {
    "feedback": good_feedback,
    "items": good_items,
    "interactions": good_interactions,
}
CATALOGUE = pl.Series("item_id", [f"item-{place}" for place in range(6)])


def found(suite: str, frame: pl.DataFrame, catalogue: pl.Series | None = CATALOGUE) -> dict[str, CheckRow]:
    return {row.name: row for row in validate(SUITES[suite], frame, catalogue=catalogue)}


def found_by(rule: str, suite: str, frame: pl.DataFrame, catalogue: pl.Series | None = CATALOGUE) -> CheckRow:
    """What one rule finds; the library takes a second for all of a suite."""
    alone = replace(SUITES[suite], rules=(SUITES[suite].rule(rule),))
    return validate(alone, frame, catalogue=catalogue)[0]


@pytest.mark.parametrize("suite", SUITES)
def test_good_rows_meet_every_rule_of_their_suite(suite: str) -> None:
    failed = [row for row in found(suite, GOOD[suite]()).values() if not row.success]

    assert failed == []


BREAKS: list[tuple[str, str, dict[str, Any]]] = [
    ("feedback", "between__v", {"v": 1001}),
    ("feedback", "in_set__kind", {"kind": "gossip"}),
    ("feedback", "length__id", {"id": ""}),
    ("feedback", "matches__subject", {"subject": "anna@example.org"}),
    ("feedback", "not_null__subject", {"subject": None}),
    ("feedback", "not_null__item_id", {"item_id": None}),
    ("feedback", "at_least_scale_min__value", {"value": 0.5}),
    ("feedback", "at_least_value__scale_max", {"value": 5.5}),
    ("feedback", "at_least_scale_min__scale_max", {"scale_min": 9.0, "value": None}),
    ("feedback", "unique__owner_id", {"id": "event-28", "subject": subject(28 % 7)}),
    ("feedback", "unique__log_partition_log_offset_log_index", {"log_offset": 1}),
    ("feedback", "between__log_offset", {"log_offset": -1}),
    ("feedback", "not_null__id", {"id": None}),
    ("feedback", "not_null__kind", {"kind": None}),
    ("feedback", "not_null__occurred_at", {"occurred_at": None}),
    ("feedback", "not_null__received_at", {"received_at": None}),
    ("feedback", "not_null__source", {"source": None}),
    ("feedback", "not_null__v", {"v": None}),
    ("feedback", "not_null__landed_on", {"landed_on": None}),
    ("feedback", "not_null__log_partition", {"log_partition": None}),
    ("feedback", "not_null__log_offset", {"log_offset": None}),
    ("feedback", "not_null__log_index", {"log_index": None}),
    ("feedback", "not_null__log_count", {"log_count": None}),
    ("items", "length__item_id", {"item_id": ""}),
    ("items", "unique__item_id", {"item_id": "item-3"}),
    ("items", "length__title", {"title": ""}),
    ("items", "between__price", {"price": -1.0}),
    ("items", "matches__currency", {"currency": "euro"}),
    ("items", "not_null__item_id", {"item_id": None}),
    ("items", "not_null__title", {"title": None}),
    ("items", "not_null__categories", {"categories": None}),
    ("items", "not_null__available", {"available": None}),
    ("items", "not_null__updated_at", {"updated_at": None}),
    ("interactions", "matches__subject", {"subject": "anna"}),
    ("interactions", "length__item_id", {"item_id": ""}),
    ("interactions", "unique__subject_item_id", {"item_id": "item-5"}),
    ("interactions", "between__explicit", {"explicit": 1.5}),
    ("interactions", "between__preference", {"preference": -1.01}),
    ("interactions", "between__weight", {"weight": -0.1}),
    ("interactions", "between__events", {"events": 0}),
    ("interactions", "at_least_first_at__last_at", {"last_at": NOON - timedelta(seconds=1)}),
    ("interactions", "not_null__subject", {"subject": None}),
    ("interactions", "not_null__item_id", {"item_id": None}),
    ("interactions", "not_null__implicit", {"implicit": None}),
    ("interactions", "not_null__preference", {"preference": None}),
    ("interactions", "not_null__weight", {"weight": None}),
    ("interactions", "not_null__events", {"events": None}),
    ("interactions", "not_null__first_at", {"first_at": None}),
    ("interactions", "not_null__last_at", {"last_at": None}),
]


@pytest.mark.parametrize(("suite", "rule", "values"), BREAKS, ids=[f"{suite}-{rule}" for suite, rule, _ in BREAKS])
def test_each_rule_fails_on_a_row_made_to_break_it_and_stops_only_where_no_sender_can(
    suite: str, rule: str, values: dict[str, Any]
) -> None:
    frame = broken(GOOD[suite](), 0, **values)

    row = found_by(rule, suite, frame)

    assert not row.success
    assert row.stops != SUITES[suite].rule(rule).leaves_out
    assert row.unexpected >= 1
    assert row.total >= row.unexpected


CALENDARS = {("feedback", "occurred_at"), ("items", "updated_at"), ("interactions", "first_at")}


@pytest.mark.parametrize(("suite", "column"), sorted(CALENDARS))
def test_a_time_outside_the_calendar_is_a_warning_and_every_time_inside_is_fine(suite: str, column: str) -> None:
    rule, utc = f"between__{column}", pl.Datetime("us", "UTC")
    other = (pl.col(column).alias("last_at"),) if suite == "interactions" else ()

    def at(microseconds: int) -> CheckRow:
        times = pl.lit(microseconds, pl.Int64).cast(utc).alias(column)
        return found_by(rule, suite, GOOD[suite]().head(1).with_columns(times).with_columns(*other))

    assert at(EARLIEST_US).success
    assert at(LATEST_US).success
    before = at(EARLIEST_US - 1)
    assert not before.success
    assert not before.stops


@pytest.mark.parametrize("suite", SUITES)
def test_every_rule_of_rows_and_every_critical_one_has_a_row_made_to_break_it(suite: str) -> None:
    covered = {rule for name, rule, _ in BREAKS if name == suite}
    covered |= {f"between__{column}" for name, column in CALENDARS if name == suite}
    covered |= {rule.name for rule in SUITES[suite].rules if rule.name.startswith(("typed__", "has_rows__"))}

    wanted = {rule.name for rule in SUITES[suite].rules if rule.leaves_out} | set(
        SUITES[suite].names(Severity.CRITICAL)
    )
    assert wanted <= covered


def test_times_ahead_of_their_receipt_stop_nothing_and_leave_nothing_out() -> None:
    ahead = broken(good_feedback(), 0, occurred_at=NOON + timedelta(hours=1))
    early = broken(good_feedback(), 0, landed_on=date(2026, 1, 29))
    named = {"at_least_occurred_at__latest_occurrence": ahead, "at_least_received_at__landed_before": early}

    for rule, frame in named.items():
        row = found_by(rule, "feedback", frame)

        assert (row.success, row.stops, row.severity) == (False, False, Severity.INFO)
        assert row.observed == "97.50 % of 40 rows as expected, 99% wanted"
        assert Screening(frame.lazy(), SUITES["feedback"]).counts.rows == 0


TYPED = [(suite.name, rule.columns[0]) for suite in SUITES.values() for rule in suite.rules if "typed__" in rule.name]


@pytest.mark.parametrize(("suite", "column"), TYPED, ids=[f"{suite}-{column}" for suite, column in TYPED])
def test_a_column_of_another_type_fails_its_type_rule(suite: str, column: str) -> None:
    frame = GOOD[suite]()
    other = pl.lit("text") if frame.schema[column] != pl.String else pl.lit(7)

    row = found_by(f"typed__{column}", suite, frame.with_columns(other.alias(column)))

    assert row.stops


def test_a_missing_column_is_named_and_stops() -> None:
    row = found_by("typed__preference", "interactions", good_interactions().drop("preference"))

    assert row.stops
    assert row.observed == "column preference is missing"


@pytest.mark.parametrize(
    ("suite", "severity"),
    [("feedback", Severity.CRITICAL), ("items", Severity.WARNING), ("interactions", Severity.CRITICAL)],
)
def test_an_empty_table_fails_only_for_having_no_rows(suite: str, severity: Severity) -> None:
    rows = found(suite, GOOD[suite]().clear(), catalogue=None)

    failed = [row for row in rows.values() if not row.success]

    assert [(row.name, row.severity, row.observed) for row in failed] == [("has_rows__table", severity, "no rows")]
    assert rows["has_rows__table"].stops == (severity is Severity.CRITICAL)


def test_rated_items_outside_the_catalogue_are_a_warning_with_their_share() -> None:
    catalogue = pl.Series("item_id", ["item-0", "item-1", "item-2"])

    row = found_by("share__in_catalogue", "interactions", good_interactions(), catalogue)

    assert not row.success
    assert not row.stops
    assert row.severity is Severity.WARNING
    assert row.observed == "50.00 % of 24 rows as expected, 95% wanted"


def test_without_a_catalogue_no_item_is_held_against_one() -> None:
    assert found_by("share__in_catalogue", "interactions", good_interactions(), None).success


def test_a_share_rule_holds_while_few_rows_break_it() -> None:
    catalogue = pl.Series("item_id", [f"item-{place}" for place in range(6)])
    frame = pl.concat([good_interactions(), *[broken(good_interactions(), 0, subject=subject(n)) for n in (90, 91)]])
    frame = broken(frame.unique(["subject", "item_id"], maintain_order=True), 0, item_id="unheard-of")

    assert found_by("share__in_catalogue", "interactions", frame, catalogue).success


def test_a_mostly_unavailable_catalogue_is_a_warning() -> None:
    row = found_by("share__available", "items", good_items().with_columns(available=pl.lit(value=False)))

    assert (row.success, row.severity) == (False, Severity.WARNING)


def test_a_failure_shows_what_it_found() -> None:
    row = found_by("in_set__kind", "feedback", broken(good_feedback(), 0, kind="gossip"))

    assert row.examples == ("gossip",)
    assert row.observed == "1 of 40 rows (2.5 %) are not as expected"
    assert row.expectation == "expect_column_values_to_be_in_set"
