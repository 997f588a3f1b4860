from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from expectations.sampling import rows_to_validate
from expectations.screening import Screening
from expectations.suites.registry import SUITES
from tests.expectations.frames import NOON, broken, good_feedback, good_interactions, subject

FEEDBACK, INTERACTIONS = SUITES["feedback"], SUITES["interactions"]


def large_feedback() -> pl.DataFrame:
    rows = good_feedback(400)
    days = pl.int_range(pl.len()) // 40
    return rows.with_columns(
        landed_on=pl.lit(date(2026, 1, 1)) + pl.duration(days=days),
        received_at=pl.lit(NOON) + pl.duration(seconds=pl.int_range(pl.len())),
    )


def test_a_small_table_is_looked_at_whole() -> None:
    assert rows_to_validate(good_feedback().lazy(), FEEDBACK).height == 40


def test_of_a_large_table_the_newest_rows_are_looked_at() -> None:
    rows = rows_to_validate(large_feedback().lazy(), FEEDBACK, max_rows=40)

    assert rows.filter(pl.col("landed_on") == date(2026, 1, 10)).height == 40
    assert rows.height < 400


def test_a_place_that_landed_twice_is_found_however_old_it_is() -> None:
    frame = large_feedback()
    place = {name: frame[name][28] for name in ("log_partition", "log_offset", "log_index")}

    rows = rows_to_validate(broken(frame, 0, **place).lazy(), FEEDBACK, max_rows=20)

    assert rows.filter(pl.col("log_partition") == 0, pl.col("log_offset") == 14).height == 2
    whole = pl.concat([frame, frame.slice(28, 1)]).lazy()
    same = rows_to_validate(whole, FEEDBACK, max_rows=20, also=lambda: frame.slice(28, 1))
    assert same.filter(pl.col("log_partition") == 0, pl.col("log_offset") == 14).height == 2


def test_rows_that_learning_leaves_out_are_looked_at_however_old_they_are() -> None:
    frame = broken(broken(large_feedback(), 40, id=""), 44, id="event-48", source="a", subject=subject(48 % 7))
    again = broken(frame, 48, source="a")
    screening = Screening(again.lazy(), FEEDBACK)

    rows = rows_to_validate(again.lazy(), FEEDBACK, max_rows=20, also=lambda: screening.left_out(examples=1))

    assert screening.counts.broken_rules == {"length__id": 1, "unique__owner_id": 1}
    assert rows.filter(pl.col("id") == "").height == 1
    assert rows.filter(pl.col("id") == "event-48", pl.col("log_offset") == 24).height == 1
    assert rows.height == rows.unique(["log_partition", "log_offset"]).height


def test_the_ends_of_every_number_and_odd_rows_are_looked_at_however_old_they_are() -> None:
    frame = good_interactions(24).with_columns(last_at=pl.lit(NOON) + pl.duration(minutes=pl.int_range(pl.len())))
    many = pl.concat([frame.with_columns(subject=pl.col("subject") + pl.lit(f"{n}")) for n in range(20)])
    odd = broken(broken(many, 0, preference=-3.0, last_at=NOON - timedelta(days=9)), 1, weight=None)

    rows = rows_to_validate(odd.lazy(), INTERACTIONS, max_rows=5)

    assert rows["preference"].min() == -3.0
    assert rows["weight"].null_count() == 1
    assert rows.height < odd.height


def test_a_kind_that_occurs_once_is_looked_at() -> None:
    rows = rows_to_validate(broken(large_feedback(), 3, kind="gossip").lazy(), FEEDBACK, max_rows=20)

    assert "gossip" in rows["kind"]
