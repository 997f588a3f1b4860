"""The chain of stages: order, closing, and a stage whose model changes between two commits of one batch."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import ClassVar

import polars as pl
import pytest

from beam_jobs.batch import Batch
from beam_jobs.runner.pipeline_context import PipelineContext, registered
from beam_jobs.stages.admit import admit
from beam_jobs.stages.chain import RunStages, StageChain, open_chain
from beam_jobs.stages.decode import decode
from beam_jobs.stages.redact import COLUMN
from beam_jobs.stages.stage import CleanLines, LandingStage, StageContext
from feedback.errors import Code, HeedError
from feedback.settings.home import Settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.conftest import NOW
from tests.support.landing.lines import line, poll


class Crash(Exception):
    """Raised where the process would have died."""


class Screen(LandingStage):
    """Refuses the events that its model dislikes, and writes the model's version to the others."""

    name = "screen"
    columns = (COLUMN,)
    model: ClassVar[tuple[int, frozenset[str]]] = (1, frozenset())

    def process(self, batch: Batch) -> Batch:
        version, disliked = self.model
        batch = replace(batch, events=batch.events.with_columns(pl.lit(version, pl.Int32).alias(COLUMN)))
        reasons = pl.select(
            pl.when(batch.events["id"].is_in(list(disliked))).then(pl.lit("disliked")).otherwise(None).alias("r")
        )["r"]
        return batch.refuse(reasons, Code.CONTRACT_BROKEN)


class Recorder(LandingStage):
    """Notes what is asked of it."""

    calls: ClassVar[list[str]] = []

    def open(self, context: StageContext) -> None:
        self.calls.append(f"open {self.name}")

    def process(self, batch: Batch) -> Batch:
        self.calls.append(f"process {self.name}")
        return batch

    def clean(self, lines: pl.Series) -> CleanLines:
        return CleanLines(lines + f" {self.name}", {"lines": len(lines)})

    def close(self) -> None:
        self.calls.append(f"close {self.name}")


class First(Recorder):
    name = "first"


class Second(Recorder):
    name = "second"


class Unready(Recorder):
    name = "unready"

    def open(self, context: StageContext) -> None:
        raise HeedError("no model")


def crash_between_tables(point: str) -> None:
    if point == "between tables":
        raise Crash


def landed(lake: Lake) -> tuple[dict[str, int], list[str]]:
    """Version by id of what is in `feedback`, and the ids in `quarantine`."""
    rows = lake.scan(FEEDBACK).select("id", COLUMN).collect()
    refused = lake.scan(QUARANTINE).select("id").collect()
    return dict(rows.sort("id").iter_rows()), sorted(refused["id"])


@pytest.mark.parametrize("second", [frozenset("b"), frozenset(), frozenset("abc")])
def test_a_model_that_changes_between_two_commits_of_a_batch_loses_and_doubles_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, second: frozenset[str]
) -> None:
    lake = open_lake(settings)
    admitted = admit(decode(poll(*(line(id=name) for name in "abc"), at=NOW)))
    with open_chain((Screen,), settings) as chain:
        monkeypatch.setattr(Screen, "model", (1, frozenset("a")))
        dying = LandingCommitter(lake, "feedback", 1, fault=crash_between_tables)
        with pytest.raises(Crash):
            dying.commit(chain.process(admitted).to_commit(), at=NOW)
        monkeypatch.setattr(Screen, "model", (2, second))
        assert LandingCommitter(lake, "feedback", 1).commit(chain.process(admitted).to_commit(), at=NOW)
    rows, refused = landed(lake)
    assert refused == sorted({"a", *second})  # what the first attempt refused stays refused
    assert rows == {name: 2 for name in "abc" if name not in refused}
    report = audit(lake, "feedback", bounds={0: (0, 1)})
    assert report.holds, report.faults


def test_stages_run_in_order_and_close_in_reverse(settings: Settings) -> None:
    Recorder.calls.clear()
    with open_chain((First, Second), settings) as chain:
        batch = chain.process(admit(decode(poll(line(id="a"), b"{broken"))))
        assert chain.clean([b"x"]) == [b"x first second"]
    assert Recorder.calls == [
        "open first", "open second", "process first", "process second", "close second", "close first",
    ]  # fmt: skip
    assert batch.refused[0]["raw"].to_list() == ["{broken first second"]
    assert batch.findings == {("first", "lines"): 1, ("second", "lines"): 1}


def test_a_stage_that_cannot_open_leaves_no_other_open(settings: Settings) -> None:
    Recorder.calls.clear()
    with pytest.raises(HeedError, match="no model"):
        StageChain((First, Unready), settings)
    assert Recorder.calls == ["open first", "close first"]


def test_where_no_stage_runs_derived_columns_are_null(settings: Settings) -> None:
    with open_chain((), settings) as chain:
        ready = chain.process(admit(decode(poll(line(id="a"))))).to_commit()
    assert ready.feedback.column(COLUMN).to_pylist() == [None]
    assert ready.feedback.column_names == list(FEEDBACK.names)


def test_stages_stay_open_from_one_pipeline_to_the_next(settings: Settings) -> None:
    Recorder.calls.clear()
    batch = admit(decode(poll(line(id="a"))))
    with registered(PipelineContext()) as context_id:
        for _ in range(2):
            run = pickle.loads(pickle.dumps(RunStages((First,), settings, context_id)))
            run.setup()
            assert [one.events["id"].to_list() for one in run.process(batch)] == [["a"]]
            run.teardown()
        assert Recorder.calls == ["open first", "process first", "process first"]
    assert Recorder.calls[-1] == "close first"


def test_a_batch_without_records_passes_the_stages_by(settings: Settings) -> None:
    Recorder.calls.clear()
    empty = Batch(pl.DataFrame(), {0: 5}, {0: 5})
    run = RunStages((First,), settings, "of another process")
    run.setup()
    assert list(run.process(empty)) == [empty]
    run.teardown()
    assert Recorder.calls == ["open first", "close first"]
