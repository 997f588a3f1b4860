"""The online store behind many events: reads of one person, the rate of a drain's pushes and the size of the file.

The layout of earlier releases (`bench.peers.slot_rows`) takes the same pushes in turn. Reads are of people drawn by
how active they are, through a connection of their own, with all that a list asks: consent, links and events.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import polars as pl

from bench.figures import Figure, at_least, below, reported
from bench.peers.slot_rows import SlotRows
from feedback.subjects import SUBJECT_LENGTH
from online.sqlite.store import SqliteOnlineStore

EVENTS = 3_400_000
PUSH_EVENTS = 200_000
"""As many as a drain pushes together."""
READS = 2_000
READ_MILLISECONDS = 1.0
PEOPLE, ITEMS, PARTITIONS = 1_000_000, 20_000, 4
TAIL, FLAT_HEAD = 1.1, 10_000
"""A rank's popularity is (rank + FLAT_HEAD) ** -TAIL: a tenth of a million people send a third of the events."""
START_US = 1_760_000_000_000_000
_SINGLE = ("click", "view", "dwell", "add_to_cart")

OPTIONS = (
    click.Option(
        ["--events"],
        type=click.IntRange(min=PUSH_EVENTS),
        default=EVENTS,
        show_default=True,
        help="Events in the store; 20000000 take some five minutes.",
    ),
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """People and items, and how often each occurs."""

    rng: np.random.Generator
    subjects: pl.Series
    activity: npt.NDArray[np.float64]
    offsets: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))

    @classmethod
    def of(cls, seed: int) -> Crowd:
        """The same for the same seed."""
        rng = np.random.default_rng(seed)
        digits = rng.bytes(PEOPLE * SUBJECT_LENGTH // 2).hex()
        subjects = [digits[at : at + SUBJECT_LENGTH] for at in range(0, len(digits), SUBJECT_LENGTH)]
        weights = np.arange(FLAT_HEAD, FLAT_HEAD + PEOPLE, dtype=np.float64) ** -TAIL
        return cls(rng, pl.Series(subjects), np.cumsum(weights))

    def people(self, count: int) -> npt.NDArray[np.int64]:
        """Who sends the next events."""
        drawn: npt.NDArray[np.int64] = np.searchsorted(self.activity, self.rng.random(count) * self.activity[-1])
        return drawn

    def push(self, count: int) -> tuple[pl.DataFrame, dict[int, int]]:
        """So many landed rows as a push looks at them, one in five a rating, and the positions behind them."""
        who = self.people(count)
        partitions = who % PARTITIONS
        offsets = np.empty(count, np.int64)
        for partition in range(PARTITIONS):
            mine = partitions == partition
            start, size = self.offsets[partition], int(mine.sum())
            offsets[mine] = np.arange(start, start + size)
            self.offsets[partition] = start + size
        kind = self.rng.integers(0, 5, count)
        at = START_US + (sum(self.offsets.values()) - count + np.arange(count)) * 100
        is_rating = pl.Series(kind == len(_SINGLE))
        rated = {
            "value": pl.Series(self.rng.integers(1, 6, count)).cast(pl.Float64),
            "scale_min": 1.0,
            "scale_max": 5.0,
        }
        frame = pl.DataFrame(
            {
                "subject": self.subjects[who],
                "log_partition": pl.Series(partitions, dtype=pl.Int32),
                "log_offset": offsets,
                "log_index": pl.Series(np.zeros(count), dtype=pl.Int32),
                "kind": pl.Series([*_SINGLE, "rating"])[kind],
                "item_id": "item-" + pl.Series(self.rng.integers(0, ITEMS, count)).cast(pl.String),
                "occurred_at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
                "received_at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
                **rated,
            }
        ).with_columns(
            *(pl.when(is_rating).then(pl.col(name)) for name in rated),
            *(pl.lit(None, pl.String).alias(name) for name in ("label", "payload")),
            landed_on=pl.lit(date(2026, 3, 1)),
        )
        return frame, dict(self.offsets)


def run(report: Callable[[str], None], *, events: int = EVENTS) -> Iterator[Figure]:
    """Push to both in turn, then read."""
    crowd = Crowd.of(7)
    with tempfile.TemporaryDirectory(prefix="heed-online-") as folder:
        path, peer_path = Path(folder, "online.db"), Path(folder, "peer.db")
        store, peer = SqliteOnlineStore(path), SlotRows(peer_path)
        ours = theirs = 0.0
        for start in range(0, events, PUSH_EVENTS):
            report(f"{start:,} of {events:,} events")
            frame, positions = crowd.push(min(PUSH_EVENTS, events - start))
            ours += _seconds(lambda frame=frame, positions=positions: store.push(frame, positions))  # type: ignore[misc]
            theirs += _seconds(lambda frame=frame: peer.push(frame))  # type: ignore[misc]
        store.close()
        report("reading")
        reader = SqliteOnlineStore(path)
        who = crowd.subjects[crowd.people(READS)].to_list()
        processor = time.thread_time()
        reads = [_seconds(lambda subject=subject: _read(reader, subject)) * 1e3 for subject in who]  # type: ignore[misc]
        processor = (time.thread_time() - processor) / READS * 1e3
        peers = [_seconds(lambda subject=subject: peer.recent(subject)) * 1e3 for subject in who[: READS // 10]]  # type: ignore[misc]
        reader.close()
        peer.close()
        yield reported("online events", events)
        yield below("online read, p99", round(float(np.percentile(reads, 99)), 3), READ_MILLISECONDS, unit="ms")
        yield reported("online read, p50", round(float(np.percentile(reads, 50)), 3), unit="ms")
        yield reported("online read, processor time", round(processor, 3), unit="ms")
        yield reported("peer's read, p99", round(float(np.percentile(peers, 99)), 3), unit="ms")
        yield reported("online push", round(events / ours), unit="events/s")
        yield at_least("online push to the peer's", round(theirs / ours, 2), 1.0)
        yield reported("online size", round(path.stat().st_size / events), unit="bytes/event")
        yield reported("peer's size", round(peer_path.stat().st_size / events), unit="bytes/event")


def _read(store: SqliteOnlineStore, subject: str) -> None:
    """What a list asks."""
    person = store.person(subject)
    if person.is_personal:
        store.recent_of(person.subjects)


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
