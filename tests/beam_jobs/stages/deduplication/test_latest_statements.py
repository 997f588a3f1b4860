"""Statements without id and time: only a repeat of the latest one is a duplicate, however landing came to know it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_jobs.batch import Batch
from beam_jobs.stages.decode import decode
from beam_jobs.stages.deduplication.deduplicate import deduplicate
from beam_jobs.stages.deduplication.landed_ids import LandedIds
from beam_jobs.stages.deduplication.latest_statements import LatestStatements
from feedback.admission import Admission, Admitted
from feedback.subjects import Pseudonyms
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.support.landing.lines import poll

ADMISSION = Admission(Pseudonyms(b"k" * 32))
LIKE: dict[str, Any] = {"kind": "reaction", "user_id": "u", "item_id": "i", "reaction": "like"}
DISLIKE = {**LIKE, "reaction": "dislike"}
DATED = {**DISLIKE, "occurred_at": "2026-02-01T10:00:00Z"}
WITH_ID = {**DISLIKE, "id": "7"}
ANSWER = {"kind": "survey", "user_id": "u", "metric": "nps", "value": 9, "question_id": "q1"}


class Landing:
    """Lands events one batch at a time; every batch's worker may be another."""

    def __init__(self, root: Path, *, at: datetime = NOW) -> None:
        self.lake = Lake(str(root / "lake"))
        self.at = at
        self.ids = LandedIds(30)
        self._offset = 0

    def batch(self, *events: dict[str, Any], marked: bool = True) -> Batch:
        lines = [self._line(event, marked=marked) for event in events]
        found = decode(poll(*lines, at=self.at))
        offset = pl.lit(self._offset, pl.Int64).alias("log_offset")
        start, end = {0: self._offset}, {0: self._offset + 1}
        return Batch(found.events.with_columns(offset), start, end, found.lines, clocks=found.clocks)

    def _line(self, event: dict[str, Any], *, marked: bool) -> bytes:
        outcome = ADMISSION.admit(event, self.at)
        assert isinstance(outcome, Admitted), outcome
        fields = msgspec.json.decode(outcome.line)
        if not marked:  # as releases wrote it that did not mark undated events
            fields.pop("undated", None)
        return msgspec.json.encode(fields)

    def judge(self, *events: dict[str, Any], marked: bool = True) -> Batch:
        """Deduplicate without committing."""
        batch = self.batch(*events, marked=marked)
        self.ids.prepare(self.lake, batch.start, batch.days)
        return deduplicate(batch, self.ids)

    def land(self, *events: dict[str, Any], marked: bool = True) -> int:
        """How many of them landed."""
        batch = self.judge(*events, marked=marked)
        assert LandingCommitter(self.lake, "feedback", 1).commit(batch.to_commit(), at=NOW)
        self._offset += 1
        return batch.events.height

    def restart(self) -> None:
        self.ids = LandedIds(30)

    def landed_ids(self) -> list[str]:
        return self.lake.scan(FEEDBACK).sort("log_offset", "log_index").collect()["id"].to_list()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


SEQUENCES = pytest.mark.parametrize(
    ("events", "landed"),
    [
        ([LIKE, LIKE], [1, 0]),
        ([LIKE, DISLIKE, LIKE, LIKE], [1, 1, 1, 0]),
        ([LIKE, DISLIKE, LIKE, DISLIKE, DISLIKE, LIKE], [1, 1, 1, 1, 0, 1]),
        ([LIKE, DATED, LIKE], [1, 1, 1]),
        ([LIKE, WITH_ID, LIKE, LIKE], [1, 1, 1, 0]),
        ([DATED, LIKE, DATED, LIKE], [1, 1, 0, 0]),  # the retry of a dated statement says nothing new
        ([LIKE, {**DISLIKE, "item_id": "j"}, LIKE], [1, 1, 0]),
        ([LIKE, {**DISLIKE, "user_id": "v"}, LIKE], [1, 1, 0]),
        ([ANSWER, {**ANSWER, "value": 3, "question_id": "q2"}, ANSWER], [1, 1, 0]),
        ([ANSWER, {**ANSWER, "value": 3}, ANSWER], [1, 1, 1]),
    ],
    ids=lambda value: f"{len(value)}" if isinstance(value, list) and isinstance(value[0], dict) else str(value),
)


@SEQUENCES
def test_one_worker_batch_by_batch(landing: Landing, events: list[dict[str, Any]], landed: list[int]) -> None:
    assert [landing.land(event) for event in events] == landed
    assert len(set(landing.landed_ids())) == sum(landed)


@SEQUENCES
def test_in_one_batch(landing: Landing, events: list[dict[str, Any]], landed: list[int]) -> None:
    assert landing.land(*events) == sum(landed)
    assert len(set(landing.landed_ids())) == sum(landed)


@SEQUENCES
def test_a_new_worker_for_every_batch(landing: Landing, events: list[dict[str, Any]], landed: list[int]) -> None:
    for event, expected in zip(events, landed, strict=True):
        landing.restart()
        assert landing.land(event) == expected


@SEQUENCES
def test_what_a_release_before_landed_without_a_mark(
    landing: Landing, events: list[dict[str, Any]], landed: list[int]
) -> None:
    before, last = events[:-1], events[-1]
    for event in before[:2]:
        landing.land(event, marked=False)
    landing.restart()
    for event in before[2:]:
        landing.land(event)

    assert landing.land(last) == landed[-1]


def test_the_first_of_a_content_keeps_its_derived_id_and_the_next_gets_its_place(landing: Landing) -> None:
    landing.land(LIKE, DISLIKE)
    landing.land(LIKE)

    first, _, third = landing.landed_ids()
    assert third == f"{first}-0-1-0"


def test_a_batch_that_is_repeated_is_decided_the_same(landing: Landing) -> None:
    landing.land(LIKE, DISLIKE)
    attempts = [landing.judge(LIKE, LIKE, DATED, LIKE) for _ in range(3)]
    landing.restart()
    attempts.append(landing.judge(LIKE, LIKE, DATED, LIKE))

    ids = [attempt.events["id"].to_list() for attempt in attempts]
    assert len(ids[0]) == 3
    assert ids == [ids[0]] * 4


def test_a_statement_that_left_the_window_lands_again_under_another_id(tmp_path: Path) -> None:
    early = Landing(tmp_path, at=NOW)
    early.land(LIKE, DISLIKE)
    late = Landing(tmp_path, at=NOW + timedelta(days=40))
    late._offset = 1

    assert late.land(LIKE) == 1
    assert late.land(LIKE) == 0
    late.restart()
    assert late.land(LIKE) == 0

    assert len(set(late.landed_ids())) == 3


def test_a_repeat_is_a_duplicate_in_the_quarantine(landing: Landing) -> None:
    landing.land(LIKE)

    (refused,) = landing.judge(LIKE).refused

    assert refused["code"].to_list() == ["duplicate"]


def test_batches_without_undated_statements_look_at_no_topic(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beam_jobs.stages.deduplication.landed_ids.with_topics", None)

    assert landing.land(DATED, WITH_ID, DATED) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=60), st.integers(1, 7))
def test_the_latest_by_topic_is_what_a_dictionary_holds(puts: list[tuple[int, int]], together: int) -> None:
    latest, expected = LatestStatements(), {}
    for start in range(0, len(puts), together):
        part = dict(puts[start : start + together])
        expected |= part
        latest.put(np.array(list(part), np.uint64), np.array(list(part.values()), np.uint64))

    held, said = latest.find(np.arange(31, dtype=np.uint64))

    assert {int(topic): int(said[topic]) for topic in np.flatnonzero(held)} == expected
