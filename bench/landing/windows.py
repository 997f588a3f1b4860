"""Cost of live windows per event: full batches as in a drain, with a real store and a real table."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from beam_jobs.followers.follower import Committed
from beam_jobs.followers.windows.sink import WindowSink
from bench.figures import Figure, below
from lakehouse.lake import Lake
from online.sqlite.windows import SqliteWindowStore

BATCHES, BATCH_EVENTS = 80, 20_000
BATCH_SECONDS = 0.125
"""What a batch stands for: 160,000 events/s, about what landing drains on two cores."""
PEOPLE, ITEMS, SECTIONS, PARTITIONS = 50_000, 3_700, 8, 4
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BAR_NANOSECONDS = 1_000


def run(label: Callable[[str], None]) -> Iterator[Figure]:
    """Count 1.6 million events in batches of 20,000, flushing every five seconds of the log's time."""
    label("making events")
    rng = np.random.default_rng(42)
    batches = [batch(rng, number) for number in range(BATCHES)]
    with tempfile.TemporaryDirectory() as folder:
        sink = WindowSink(
            Lake(str(Path(folder, "lake"))), SqliteWindowStore(Path(folder, "online.db")), log_name="feedback",
            partitions=PARTITIONS, lateness=timedelta(minutes=10), every=timedelta(seconds=5), kept_windows=60,
            log_ends=dict,
        )  # fmt: skip
        sink.load(START)
        label("counting")
        sink.process(batch(rng, -1), now=START - timedelta(seconds=1))  # imports and first files are start-up
        sink.flush(START)
        wall, cpu = time.perf_counter(), time.process_time()
        for number, one in enumerate(batches):
            sink.process(one, now=START + timedelta(seconds=number * BATCH_SECONDS))
        sink.close(START + timedelta(seconds=BATCHES * BATCH_SECONDS))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    events = BATCHES * BATCH_EVENTS
    yield below("windows, time", wall / events * 1e9, BAR_NANOSECONDS, unit="ns/event")
    yield below("windows, processor time of both cores", cpu / events * 1e9, 2 * BAR_NANOSECONDS, unit="ns/event")


def batch(rng: np.random.Generator, number: int) -> Committed:
    """Ratings, clicks and satisfaction answers by uniform people about items by a power law."""
    start = int(START.timestamp() * 1e6) + int(number * BATCH_SECONDS * 1e6)
    taken = start + np.sort(rng.integers(0, int(BATCH_SECONDS * 1e6), BATCH_EVENTS))
    people = rng.integers(0, PEOPLE, BATCH_EVENTS)
    kind = rng.integers(0, 3, BATCH_EVENTS)
    told = [("rating", None), ("click", None), ("survey", "csat")]
    frame = pl.DataFrame(
        {
            "kind": [told[k][0] for k in kind],
            "label": pl.Series([told[k][1] for k in kind], dtype=pl.String),
            "subject": [f"{person:032x}" for person in people],
            "item_id": [f"item-{n}" for n in (rng.zipf(1.3, BATCH_EVENTS) - 1) % ITEMS],
            "section": [f"section-{n}" for n in rng.integers(0, SECTIONS, BATCH_EVENTS)],
            "value": rng.integers(1, 6, BATCH_EVENTS).astype(float),
            "scale_min": 1.0,
            "scale_max": 5.0,
            "occurred_at": pl.Series(taken - rng.integers(0, 500_000, BATCH_EVENTS)).cast(pl.Datetime("us", "UTC")),
            "appended_at": pl.Series(taken).cast(pl.Datetime("us", "UTC")),
            "log_partition": pl.Series(people % PARTITIONS, dtype=pl.Int32),
            "log_offset": pl.Series(np.full(BATCH_EVENTS, number), dtype=pl.Int64),
        }
    )
    return Committed(frame, dict.fromkeys(range(PARTITIONS), number + 1), dict.fromkeys(range(PARTITIONS), number + 2))
