from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from expectations.sampling import rows_to_validate
from expectations.suites import SUITES
from tests.expectations.frames import NOON, broken, good_feedback, good_interactions

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


def test_a_doubled_id_is_found_however_old_it_is() -> None:
    frame = large_feedback()
    doubled = broken(frame, 0, id=frame["id"][28], subject=frame["subject"][28], item_id=frame["item_id"][28])

    rows = rows_to_validate(doubled.lazy(), FEEDBACK, max_rows=20)

    assert rows.filter(pl.col("id") == "event-28").height == 2


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
