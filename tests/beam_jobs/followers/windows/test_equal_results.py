"""Streamed with crashes and repeats, drained at once, or computed plainly: the windows are the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.window_rows import Mark
from lakehouse.window_table import read_windows
from online.sqlite.windows import SqliteWindowStore
from online.windows import WindowStore
from tests.beam_jobs.followers.windows import reference
from tests.beam_jobs.followers.windows.streams import (
    LATENESS,
    PARTITIONS,
    Event,
    World,
    counted,
    event,
    numbered,
    shown,
)

STORIES = ("count", "twice", "crash before counting", "crash before the store", "crash after", "flush")

SAID = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["view", "hide", "purchase", "search", "return"])}),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["rating", "review"]), "value": st.sampled_from([1.0, 2.5, 3.0, 5.0]),
         "scale_min": st.just(1.0), "scale_max": st.just(5.0)}
    ),
    st.fixed_dictionaries({"kind": st.just("review")}),
    st.fixed_dictionaries({"kind": st.just("reaction"), "label": st.sampled_from(["love", "angry", "sad"])}),
    st.fixed_dictionaries({"kind": st.just("dwell"), "value": st.floats(0, 100)}),
    st.fixed_dictionaries(
        {"kind": st.just("survey"), "label": st.just("nps"), "value": st.integers(0, 10).map(float)}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("survey"), "label": st.just("csat"), "value": st.integers(1, 5).map(float)}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("survey"), "label": st.just("csat"), "value": st.integers(0, 10).map(float),
         "scale_min": st.just(0.0), "scale_max": st.just(10.0)}
    ),
)  # fmt: skip

DELAYS = st.one_of(st.floats(-299, 30), st.floats(500, 800), st.floats(0, 6000), st.sampled_from([600.0, 610.0, 1e7]))


@st.composite
def logs(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of events in the order of the log: its own time goes forward, what happened is in disorder."""
    batches, clock = [], 0.0
    for _ in range(draw(st.integers(1, 5))):
        batch = []
        for _ in range(draw(st.integers(1, 8))):
            clock += draw(st.sampled_from([0.0, 0.5, 7.0, 200.0]))
            partition = draw(st.integers(0, PARTITIONS - 1))
            person = draw(st.integers(0, 3))
            batch.append(
                event(
                    after=clock,
                    delay=draw(DELAYS),
                    partition=partition,
                    subject=draw(st.sampled_from([f"{person * PARTITIONS + partition:032x}"])),
                    item_id=draw(st.sampled_from([None, "a", "b"])),
                    section=draw(st.sampled_from([None, "news"])),
                    **draw(SAID),
                )
            )
        batches.append(batch)
    return batches


class Crash(Exception):
    """The process ends here."""


class DyingStore:
    """A store whose process dies right before its next write."""

    def __init__(self, store: WindowStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, rows: pl.DataFrame, marks: dict[int, Mark], *, expected: dict[int, int]) -> bool:
        raise Crash


def stream(world: World, batches: list[list[Event]], stories: list[str]) -> None:
    """Commit batch by batch; after each commit things go as its story says."""
    sink = world.sink(every=1e9)
    for events, story in zip(batches, stories, strict=True):
        batch = world.commit(events)
        if story == "crash before counting":
            sink = world.sink(every=1e9)
            continue
        if story == "crash before the store":
            sink._store = DyingStore(world.store)  # type: ignore[assignment]
            sink.process(batch, now=world.now)
            with pytest.raises(Crash):
                sink.flush(world.now)
            sink = world.sink(every=1e9)
            continue
        sink.process(batch, now=world.now)
        if story == "twice":
            sink.process(batch, now=world.now)
        if story in ("flush", "crash after"):
            sink.flush(world.now)
        if story == "crash after":
            sink = world.sink(every=1e9)
            sink.process(batch, now=world.now)
    sink.close(world.now)
    world.store = SqliteWindowStore(world.path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(logs(), st.lists(st.sampled_from(STORIES), min_size=5, max_size=5))
def test_streams_with_crashes_and_drains_equal_a_plain_computation(log: list[list[Event]], stories: list[str]) -> None:
    whole = numbered([one for batch in log for one in batch])
    rest = iter(whole)
    batches = [[next(rest) for _ in batch] for batch in log]
    expected = counted(reference.windows(whole, lateness=LATENESS))

    with tempfile.TemporaryDirectory() as folder:
        streamed, drained = World(Path(folder, "streamed")), World(Path(folder, "drained"))
        stream(streamed, batches, stories[: len(batches)])
        stream(drained, [whole], ["count"])

        assert drained.stored() == expected
        assert shown(read_windows(drained.lake)) == expected
        assert streamed.stored() == expected
        assert shown(read_windows(streamed.lake)) == expected


def test_every_landed_event_is_counted_or_late_in_each_length(tmp_path: Path) -> None:
    world = World(tmp_path)
    delays = [0, 100, 599, 605, 700, 4000, 5000, 1e8]
    log = numbered([event(after=n, delay=delay, partition=n % 2) for n, delay in enumerate(delays)])

    stream(world, [log], ["count"])

    everything = read_windows(world.lake, scope="all").group_by("size_seconds").agg(pl.col("events", "late").sum())
    late = {size: late for size, events, late in everything.iter_rows() if events + late == len(delays)}
    assert late == {10: 5, 60: 5, 3600: 3}
