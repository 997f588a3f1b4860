"""Times: reject events with impossible times. Only the log's own timestamp decides, so a retry decides the same.

| an event that is | outcome |
|---|---|
| out of order, or late by any span | lands, in the day on which the log took it |
| ahead of the log's clock by at most `max_future_seconds` | lands |
| further ahead, or received ahead of it (a gateway whose clock is fast) | `in_the_future` |
| in a record whose log time is out of bounds, and ahead of the clock by more than a silence | `log_time` |
| before the year 1, or beyond the year 9999 | `bad_time` |

`beam_jobs.stages.log_clock` defines which log times are out of bounds, and how long a log may be silent.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from beam_jobs.batch import Batch
from feedback.bounds import EARLIEST, LATEST
from feedback.errors import Code

_TIMES = ("occurred_at", "received_at")


def judge_times(batch: Batch, *, max_future: timedelta) -> Batch:
    """Reject events whose times lie outside the calendar or ahead of the log's clock."""
    impossible = _first_reason(
        batch.events,
        [(f"`{name}` lies outside the years 1 to 9999", ~pl.col(name).is_between(EARLIEST, LATEST)) for name in _TIMES],
    )
    batch = batch.refuse(impossible, Code.BAD_TIME)
    if "latest" in batch.events.columns:
        beyond = pl.col("latest") + max_future
        words = "is ahead of the log's clock by more than the log may have been silent"
        batch = batch.refuse(
            _first_reason(batch.events, [(f"`{name}` {words}", pl.col(name) > beyond) for name in _TIMES]),
            Code.LOG_TIME,
        )
    ahead = pl.col("appended_at") + max_future
    if "latest" in batch.events.columns:
        ahead = pl.coalesce(pl.col("latest") + max_future, ahead)
    future = _first_reason(
        batch.events, [(f"`{name}` is ahead of the log's clock", pl.col(name) > ahead) for name in _TIMES]
    )
    return batch.refuse(future, Code.IN_THE_FUTURE)


def _first_reason(events: pl.DataFrame, rules: list[tuple[str, pl.Expr]]) -> pl.Series:
    words = pl.coalesce(*(pl.when(broken).then(pl.lit(text)) for text, broken in rules), pl.lit(None, pl.String))
    return events.select(words.alias("reason"))["reason"]
