"""Out of order, late, skewed and future events: each has its outcome, decided by the log's clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from beam_jobs.batch import Batch
from beam_jobs.landing import drain
from beam_jobs.stages.admit import admit
from beam_jobs.stages.decode import decode
from feedback.bounds import microseconds
from feedback.log.open import open_log
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.support.landing.lines import append, line, poll

AHEAD = timedelta(minutes=5)
TICK = timedelta(microseconds=1)


def landed(*lines: bytes, at: datetime = NOW) -> Batch:
    return admit(decode(poll(*lines, at=at)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"occurred_at": microseconds(NOW)}, None),
        ({"occurred_at": microseconds(NOW - timedelta(days=10_000))}, None),
        ({"occurred_at": microseconds(datetime(1, 1, 1, tzinfo=UTC))}, None),
        ({"occurred_at": microseconds(NOW + AHEAD)}, None),
        ({"occurred_at": microseconds(NOW + AHEAD + TICK)}, "in_the_future"),
        ({"received_at": microseconds(NOW + AHEAD)}, None),
        ({"received_at": microseconds(NOW + AHEAD + TICK)}, "in_the_future"),
        ({"received_at": microseconds(NOW - timedelta(days=400))}, None),
        ({"occurred_at": microseconds(datetime(1, 1, 1, tzinfo=UTC)) - 1}, "bad_time"),
        ({"occurred_at": 1 << 62}, "bad_time"),
        ({"received_at": -(1 << 62)}, "bad_time"),
        ({"occurred_at": ...}, "contract_broken"),
    ],
    ids=[
        "now", "27 years late", "the year 1", "five minutes ahead", "more than that", "gateway ahead a little",
        "gateway ahead", "gateway behind", "before the year 1", "beyond the calendar", "received before it", "missing",
    ],
)  # fmt: skip
def test_each_kind_of_time_has_its_outcome(changes: dict[str, object], code: str | None) -> None:
    batch = landed(line(**changes))

    codes = [c for frame in batch.refused for c in frame["code"]]
    assert codes == ([] if code is None else [code])


def test_the_judge_is_the_logs_clock_so_a_repeat_in_another_year_decides_the_same() -> None:
    at = datetime(2000, 1, 1, tzinfo=UTC)
    late_then, future_then = microseconds(at - AHEAD), microseconds(at + 2 * AHEAD)

    batch = landed(line(id="1", occurred_at=late_then), line(id="2", occurred_at=future_then), at=at)

    assert batch.events["id"].to_list() == ["1"]
    assert [c for frame in batch.refused for c in frame["code"]] == ["in_the_future"]


@pytest.mark.beam
def test_events_out_of_order_and_late_land_in_the_day_of_the_log_in_its_order(settings: Settings) -> None:
    log = open_log(settings.log)
    days = [datetime(2026, 3, day, 23, 59, tzinfo=UTC) for day in (1, 3, 2)]  # the log's own clock jumps back
    for number, day in enumerate(days):
        occurred = [NOW - timedelta(days=n) for n in (0, 400, 3)]
        lines = [line(id=f"{number}-{n}", occurred_at=microseconds(o)) for n, o in enumerate(occurred)]
        append(log, *lines, at=day)

    drain(settings)

    rows = open_lake(settings).scan(FEEDBACK).sort("log_offset", "log_index").collect()
    assert rows["id"].to_list() == [f"{number}-{n}" for number in range(3) for n in range(3)]
    assert rows["landed_on"].to_list() == [day.date() for day in days for _ in range(3)]
    assert rows.filter(pl.col("id").str.ends_with("-1"))["occurred_at"].to_list() == [NOW - timedelta(days=400)] * 3


@pytest.mark.beam
def test_how_far_ahead_is_believed_is_a_setting(settings: Settings) -> None:

    append(open_log(settings.log), line(occurred_at=microseconds(NOW + timedelta(seconds=2))), at=NOW)

    report = drain(override_settings(settings, max_future_seconds=1.0))

    assert report.codes == {"in_the_future": 1}
    assert open_lake(settings).scan(QUARANTINE).collect()["detail"][0] == "`occurred_at` is ahead of the log's clock"
