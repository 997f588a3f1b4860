"""Landing without Beam for tests of live windows: real tables, a real store, batches as a test orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from beam_jobs.batch import Batch
from beam_jobs.followers.windows.sink import LogEnds, WindowSink
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_rows import SCOPES, SIZES, TALLIES
from lakehouse.window_table import figures
from online.sqlite.windows import SqliteWindowStore
from online.windows import WindowStore
from tests.beam_jobs.followers.windows.reference import Window
from tests.lakehouse.rows import FEEDBACK_DEFAULTS

LATENESS = timedelta(minutes=10)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PARTITIONS = 2
KEEP_ALL = 10_000_000

Event = dict[str, Any]


def event(
    *,
    after: float,
    delay: float = 0.0,
    kind: str = "view",
    partition: int = 0,
    subject: str | None = None,
    **fields: Any,
) -> Event:
    """An event that the log took `after` seconds from the start, `delay` seconds after it happened."""
    taken = START + timedelta(seconds=after)
    times = {"appended_at": taken, "received_at": taken, "landed_on": taken.date()}
    happened = {"occurred_at": taken - timedelta(seconds=delay)}
    plain = {"item_id": None, "section": None, "subject": subject or f"{partition:032x}", "kind": kind}
    given = {**FEEDBACK_DEFAULTS, **plain, **times, **happened, "log_partition": partition, **fields}
    return {**dict.fromkeys(FEEDBACK.names), **given}


def numbered(events: Sequence[Event]) -> list[Event]:
    """The events with their offsets, one record each, in the order of the log."""
    ends = dict.fromkeys(range(PARTITIONS), 0)
    found = []
    for one in events:
        partition = one["log_partition"]
        found.append({**one, "log_offset": ends[partition], "id": f"{partition}-{ends[partition]}"})
        ends[partition] += 1
    return found


class World:
    """A lake, a store and a log of which only its ends matter; `crash` forgets a worker's memory."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.path = folder / "online.db"
        self.store: WindowStore = SqliteWindowStore(self.path)
        self.committer = LandingCommitter(self.lake, "feedback", PARTITIONS)
        self.positions = dict.fromkeys(range(PARTITIONS), 0)
        self.now = START

    def sink(
        self, *, every: float = 0.0, kept: int = KEEP_ALL, log_ends: LogEnds | None = None, write_seconds: float = 0.0
    ) -> WindowSink:
        """A new worker's sink, caught up."""
        sink = WindowSink(
            self.lake, self.store, log_name="feedback", partitions=PARTITIONS, lateness=LATENESS,
            every=timedelta(seconds=every), kept_windows=kept, log_ends=log_ends or (lambda: self.positions),
            timer=count(0.0, write_seconds).__next__,
        )  # fmt: skip
        sink.load(self.now)
        return sink

    def commit(self, events: Sequence[Event]) -> Batch:
        """Commit the next events of the log and return their batch."""
        frame = pl.DataFrame(list(events), schema=frame_schema(), orient="row")
        start = {p: o for p, o in self.positions.items() if p in set(frame["log_partition"])}
        self.positions.update({e["log_partition"]: e["log_offset"] + 1 for e in events})
        batch = Batch(frame, start, {p: self.positions[p] for p in start})
        self.now = max(self.now, *(e["appended_at"] for e in events))
        self.committer.commit(batch.to_commit(), at=self.now)
        return batch

    def stored(self) -> dict[Window, dict[str, Any]]:
        """What the online store shows."""
        newest = [self.store.newest(size, scope, windows=KEEP_ALL) for size in SIZES.values() for scope in SCOPES]
        return shown(figures(pl.concat(newest)))


def frame_schema() -> Mapping[str, Any]:
    frame = pl.from_arrow(FEEDBACK.schema.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return dict(frame.schema)


def shown(frame: pl.DataFrame) -> dict[Window, dict[str, Any]]:
    """Figures as the reference gives them, with the number of people for the set."""
    found = {}
    for row in frame.iter_rows(named=True):
        window = (row["size_seconds"], int(row["window_start"].timestamp()), row["scope"], row["key"])
        found[window] = {**{name: row[name] for name in TALLIES if row[name]}, "people": row["people"]}
    return found


def counted(expected: Mapping[Window, dict[str, Any]]) -> dict[Window, dict[str, Any]]:
    """What the reference found, with the number of people for the set."""
    return {window: {**found, "people": len(found["people"])} for window, found in expected.items()}
