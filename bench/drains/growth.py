"""Cost of landing as the lake grows: the same new events after no history and after millions of landed rows.

The history is written by landing's own committer, in large files spread over the days of the deduplication window, so
that every row of it must be known when new events come. Its log is one whose first records retention has dropped.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bench.drains.drain_child import Drained
from bench.drains.events import rating_chunks
from bench.drains.in_child import drain_in_child
from bench.drains.logs import fill_log
from bench.figures import Figure, at_least, below, reported
from feedback.log.open import open_log
from feedback.settings.home import Settings, load_settings
from feedback.subjects import SUBJECT_LENGTH
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import open_lake
from lakehouse.tables.feedback import FEEDBACK
from online.open import open_online_store

SIZES = (1_000_000, 4_000_000, 16_000_000)
NEW_EVENTS = 500_000
COMMIT_ROWS = 1_000_000
HISTORY_DAYS = 20
PARTITIONS = 4
ROUNDS = 2
EVENTS_PER_RECORD = 100
SEED = 43
PEAK_MIB = 1536
PEOPLE = 100_000


def growth_figures(
    folder: Path, report: Callable[[str], None], *, sizes: tuple[int, ...] = (), events: int = NEW_EVENTS
) -> Iterator[Figure]:
    """Events per second by size of the history, in alternating rounds; the better round counts."""
    wanted = (0, *(sizes or SIZES))
    places = {}
    for rows in wanted:
        report(f"writing a history of {rows:,} rows")
        places[rows] = write_history(folder / f"history-{rows}", rows, events=events)
    drains: dict[int, list[Drained]] = {rows: [] for rows in wanted}
    for number in range(ROUNDS):
        for rows, place in places.items():
            report(f"round {number + 1} of {ROUNDS}: {events:,} events behind {rows:,} rows")
            work = folder / "work"
            shutil.copytree(place.home, work)
            drains[rows].append(drain_in_child(work, {"log_partitions": PARTITIONS}))
            shutil.rmtree(work)
    yield reported("growth: load average", os.getloadavg()[0])
    alone = max(map(_rate, drains[0]))
    yield reported(f"landing {events:,} events, no history", alone, unit="events/s")
    for rows in wanted[1:]:
        rate = max(map(_rate, drains[rows]))
        yield reported(f"landing behind {rows:,} rows", rate, unit="events/s")
        yield at_least(f"landing behind {rows:,} rows, share of the rate without", rate / alone, 0.85)
        loading = min(each.loading_seconds for each in drains[rows])
        yield reported(f"start behind {rows:,} rows: loading their ids", loading, unit="s")
        yield below(f"peak memory behind {rows:,} rows", max(d.peak_mib for d in drains[rows]), PEAK_MIB, unit="MiB")


def _rate(drained: Drained) -> float:
    """Without the loading of known ids, which is start-up."""
    return drained.events / (drained.seconds - drained.loading_seconds)


def write_history(home: Path, rows: int, *, events: int) -> Settings:
    """A home whose lake holds so many landed rows, and whose log holds the new events behind them."""
    settings = load_settings(home, log_partitions=PARTITIONS)
    each = rows // PARTITIONS
    open_log(settings.log).close()
    with sqlite3.connect(settings.log.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE heads SET first = ?, next = ?", (each, each))
    connection.close()
    first_at_us = int((time.time() - 120) * 1e6)
    chunks = rating_chunks(events, partitions=PARTITIONS, seed=SEED, first_at_us=first_at_us)
    fill_log(settings, chunks, events_per_record=EVENTS_PER_RECORD)
    lake = open_lake(settings)
    committer = LandingCommitter(lake, settings.log.name, PARTITIONS)
    rng = np.random.default_rng(SEED)
    today = datetime.now(UTC)
    for start in range(0, each, COMMIT_ROWS // PARTITIONS):
        end = min(each, start + COMMIT_ROWS // PARTITIONS)
        committer.commit(_landed(rng, start, end, today), at=today)
    store = open_online_store(settings.online)
    store.push(_no_rows(), dict.fromkeys(range(PARTITIONS), each))  # else the first start would push the whole history
    store.close()
    return settings


def _landed(rng: np.random.Generator, start: int, end: int, today: datetime) -> LandingBatch:
    """Rows of every partition from one offset to another, one per offset."""
    offsets = np.tile(np.arange(start, end), PARTITIONS)
    count = len(offsets)
    digits = rng.bytes(PEOPLE * SUBJECT_LENGTH // 2).hex()
    people = pl.Series([digits[at : at + SUBJECT_LENGTH] for at in range(0, len(digits), SUBJECT_LENGTH)])
    ages = np.sort(rng.integers(1, HISTORY_DAYS, count))[::-1]
    landed_at = pl.Series([today - timedelta(days=int(days)) for days in range(HISTORY_DAYS)])[ages]
    partitions = np.repeat(np.arange(PARTITIONS), end - start)
    given = {
        "v": pl.Series(np.ones(count), dtype=pl.Int32),
        "id": pl.Series(partitions).cast(pl.String) + "-" + pl.Series(offsets).cast(pl.String) + "-landed",
        "kind": pl.Series(["rating"]).new_from_index(0, count),
        "subject": people[rng.integers(0, PEOPLE, count)],
        "item_id": pl.Series(rng.integers(0, 20_000, count)).cast(pl.String),
        "occurred_at": landed_at,
        "received_at": landed_at,
        "source": pl.Series(["web"]).new_from_index(0, count),
        "value": pl.Series(rng.integers(1, 6, count)).cast(pl.Float64),
        "scale_min": pl.Series(np.ones(count)),
        "scale_max": pl.Series(np.full(count, 5.0)),
        "log_partition": pl.Series(partitions, dtype=pl.Int32),
        "log_offset": pl.Series(offsets, dtype=pl.Int64),
        "log_index": pl.Series(np.zeros(count), dtype=pl.Int32),
        "log_count": pl.Series(np.ones(count), dtype=pl.Int32),
        "landed_on": landed_at.dt.date(),
    }
    empty = _no_rows()
    columns = [
        given[name].cast(type_).alias(name) if name in given else pl.lit(None, type_).alias(name)
        for name, type_ in empty.schema.items()
    ]
    rows = pl.select(*columns).select(FEEDBACK.names)
    ends = dict.fromkeys(range(PARTITIONS), end)
    feedback = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    return LandingBatch(dict.fromkeys(range(PARTITIONS), start), ends, {FEEDBACK.name: feedback})


def _no_rows() -> pl.DataFrame:
    empty = pl.from_arrow(FEEDBACK.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
