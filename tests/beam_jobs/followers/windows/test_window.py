from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from beam_jobs.followers.windows.aggregate import Partials, added, aggregate
from beam_jobs.followers.windows.window import facts_of
from feedback.contract import KINDS
from lakehouse.window_rows import KEY, TALLIES
from tests.beam_jobs.followers.windows.reference import counts
from tests.beam_jobs.followers.windows.streams import LATENESS, event, frame_schema

MICROSECOND = timedelta(microseconds=1)


def tallies(*events: dict[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(list(events), schema=frame_schema(), orient="row")
    return aggregate([facts_of(frame, lateness=LATENESS)]).tallies


def only(frame: pl.DataFrame, size: int, scope: str = "all") -> dict[str, int]:
    (row,) = frame.filter(pl.col("size_seconds") == size, pl.col("scope") == scope).to_dicts()
    return {name: row[name] for name in TALLIES if row[name]}


@pytest.mark.parametrize(
    ("delay", "taken_late"),
    [(10 - 1e-6 + 600, False), (10 + 600, True), (-299.0, False)],
    ids=["last moment", "too late", "clock ahead"],
)
def test_the_lateness_ends_to_the_microsecond(delay: float, taken_late: bool) -> None:
    happened = event(after=0)["occurred_at"]
    one = {**event(after=0), "appended_at": happened + timedelta(seconds=delay)}

    found = tallies(one)

    ten = found.filter(pl.col("size_seconds") == 10)
    assert ten["late"].to_list() == ([1] if taken_late else [0])
    assert ten["events"].to_list() == ([0] if taken_late else [1])
    assert found.filter(pl.col("size_seconds") == 3600)["events"].sum() == 1


def test_a_late_event_counts_where_the_log_took_it_and_in_no_item() -> None:
    found = tallies(event(after=0, delay=1e8, item_id="a", section="s"))

    assert set(found["scope"]) == {"all"}
    assert found["start"].unique().to_list() == [int(event(after=0)["appended_at"].timestamp())]
    assert found["late"].to_list() == [1, 1, 1]


def test_an_old_file_that_lands_again_changes_no_window_of_its_time() -> None:
    first = event(after=0, item_id="a")
    again = {**first, "appended_at": first["appended_at"] + timedelta(days=31)}

    once, twice = tallies(first), tallies(first, again)

    of_its_time = pl.col("start") <= int(first["appended_at"].timestamp())
    assert twice.filter(of_its_time).sort(once.columns).equals(once.sort(once.columns))
    assert twice.filter(~of_its_time)["late"].to_list() == [1, 1, 1]
    assert twice.filter(~of_its_time)["events"].sum() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_count(kind: str) -> None:
    assert only(tallies(event(after=0, kind=kind)), 10)[f"n_{kind}"] == 1


@pytest.mark.parametrize("value", range(11))
def test_promoter_answers_fall_into_three_groups(value: int) -> None:
    one = event(after=0, kind="survey", label="nps", value=float(value))

    assert only(tallies(one), 60) == dict(counts(one).items() - {("positive", 0), ("negative", 0)})


@pytest.mark.parametrize(
    ("value", "scale", "satisfied"),
    [
        (3.0, None, False), (4.0, None, True), (5.0, (1.0, 5.0), True), (5.0, (1.0, 7.0), False),
        (6.0, (1.0, 7.0), True), (7.0, (0.0, 10.0), False), (8.0, (0.0, 10.0), True),
    ],
)  # fmt: skip
def test_satisfied_is_the_top_box_of_the_scale(
    value: float, scale: tuple[float, float] | None, satisfied: bool
) -> None:
    low, high = scale or (None, None)
    one = event(after=0, kind="survey", label="csat", value=value, scale_min=low, scale_max=high)

    found = only(tallies(one), 10)

    assert (found["csat_answered"], found.get("csat_satisfied", 0)) == (1, int(satisfied))


def test_events_before_1970_and_far_apart_are_no_trouble() -> None:
    old = event(after=0)
    ancient = {**old, "occurred_at": datetime.fromisoformat("1901-01-01T00:00:00Z")}
    early = {**old, "occurred_at": datetime.fromisoformat("1960-01-01T00:00:05Z")}
    early["appended_at"] = early["occurred_at"] + MICROSECOND

    found = tallies(ancient, early, old)

    assert found["late"].sum() == 3
    assert found.filter(pl.col("size_seconds") == 10, pl.col("events") > 0)["start"].min() == -315_619_200
    assert tallies().is_empty()


def test_parts_that_are_added_up_equal_the_whole() -> None:
    events = [
        event(after=11 * n, delay=[0, 700, 4000][n % 3], partition=n % 2, subject=f"{n % 5:032x}", item_id=f"i{n % 3}")
        for n in range(60)
    ]
    facts = facts_of(pl.DataFrame(events, schema=frame_schema(), orient="row"), lateness=LATENESS)

    whole = aggregate([facts])
    parts = added([aggregate([facts[:20]]), aggregate([]), aggregate([facts[20:]])])

    assert told(parts) == told(whole)


def test_facts_that_are_far_apart_are_counted_as_they_are() -> None:
    years = [timedelta(days=365 * n) for n in range(40)]
    first = event(after=0, item_id="a")
    far = [
        {**first, "occurred_at": first["occurred_at"] + gap, "appended_at": first["appended_at"] + gap} for gap in years
    ]
    facts = facts_of(pl.DataFrame(far, schema=frame_schema(), orient="row"), lateness=LATENESS)

    found = aggregate([facts, facts])

    assert found.tallies.height == 2 * 3 * len(years)
    assert found.tallies["events"].unique().to_list() == [2]
    assert len(found.people) == found.tallies.height


def told(partials: Partials) -> dict[tuple[object, ...], tuple[object, set[int]]]:
    """By window and partition, its tallies and who was there."""
    people: dict[int, set[int]] = {}
    for pair in partials.people.tolist():
        people.setdefault(pair >> 32, set()).add(pair & (2**32 - 1))
    rows = partials.tallies.select(KEY).rows()
    sums = partials.tallies.select(TALLIES).rows()
    return {row: (sums[place], people.get(place, set())) for place, row in enumerate(rows)}
