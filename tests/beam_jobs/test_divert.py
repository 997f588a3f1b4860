"""Events that a stage lands in a table of their own."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from beam_jobs.batch import Batch
from lakehouse.tables.feedback import FEEDBACK
from tests.lakehouse.rows import rows
from tests.lakehouse.spam_table import SPAM, declare, withdraw


@pytest.fixture(autouse=True)
def spam() -> Iterator[None]:
    declare()
    yield
    withdraw()


def test_chosen_events_go_to_another_table_and_are_counted_by_its_name() -> None:
    events = pl.DataFrame(pl.from_arrow(rows(FEEDBACK, *({"log_offset": o, "id": f"e{o}"} for o in range(5)))))
    batch = Batch(events, {0: 0}, {0: 5})

    first = batch.divert(events["log_offset"] == 1, SPAM, pl.lit(0.9).alias("score"))
    diverted = first.divert(first.events["log_offset"] > 2, SPAM, pl.lit(0.8).alias("score"))

    landed = diverted.to_commit().rows
    assert list(landed) == ["quarantine", "spam", "feedback"]
    assert landed["spam"].select(["log_offset", "score"]).to_pylist() == [
        {"log_offset": 1, "score": 0.9},
        {"log_offset": 3, "score": 0.8},
        {"log_offset": 4, "score": 0.8},
    ]
    assert landed["feedback"]["log_offset"].to_pylist() == [0, 2]
    assert diverted.counts() == {"feedback": 2, "quarantine": 0, "spam": 3}
    assert diverted.codes() == {"spam": 3}


def test_where_no_event_is_chosen_the_batch_stays_as_it_is() -> None:
    events = pl.DataFrame(pl.from_arrow(rows(FEEDBACK, {"log_offset": 0, "id": "e"})))
    batch = Batch(events, {0: 0}, {0: 1})
    assert batch.divert(events["log_offset"] > 0, SPAM) is batch
