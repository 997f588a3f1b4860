from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake
from lakehouse.landed.again import without_landed_again
from lakehouse.tables.feedback import FEEDBACK
from online.port import OnlineStore, catch_up, push_commit
from online.sqlite.store import SqliteOnlineStore
from tests.conftest import NOW
from tests.lakehouse.rows import rows
from tests.support.calls import counted_calls

ANNA = "a" * 32
DENIED = {"kind": "consent", "item_id": None, "payload": '{"denied":["personalization"]}'}
GRANTED = {"kind": "consent", "item_id": None, "payload": '{"granted":["personalization"]}'}


class Home:
    """A lake and an online store that is told of each commit."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.store: OnlineStore = SqliteOnlineStore(folder / "online.db")
        self._committer = LandingCommitter(self.lake, "feedback", 1)
        self._end = 0

    def land(self, *given: dict[str, Any], days: int = 0, is_told: bool = True) -> None:
        """Commit events some days from now, and push them unless it is left to a catching-up."""
        at = NOW + timedelta(days=days)
        start, self._end = self._end, self._end + len(given)
        landed = {"subject": ANNA, "received_at": at, "landed_on": at.date()}
        placed = [{**landed, "log_offset": start + place, **row} for place, row in enumerate(given)]
        feedback = rows(FEEDBACK, *placed)
        self._committer.commit(LandingBatch({0: start}, {0: self._end}, {"feedback": feedback}), at=at)
        if is_told:
            frame = pl.from_arrow(feedback)
            assert isinstance(frame, pl.DataFrame)
            push_commit(self.store, self.lake, frame, start={0: start}, end={0: self._end})

    def known(self) -> list[int]:
        return [event.log_offset for event in self.store.recent(ANNA)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(tmp_path)
    yield opened
    opened.store.close()


@pytest.mark.parametrize("is_told", [True, False], ids=["with its commit", "when catching up"])
def test_a_file_sent_again_after_the_window_counts_once(home: Home, is_told: bool) -> None:
    file = [{"id": "1"}, {"id": "2", "kind": "click"}]
    home.land(*file, is_told=is_told)
    home.land(*file, {"id": "3"}, days=40, is_told=is_told)
    home.land(*file, days=80, is_told=is_told)
    catch_up(home.store, home.lake, "feedback", 1)

    assert home.known() == [0, 1, 4]


def test_an_old_denial_that_is_sent_again_undoes_no_later_grant(home: Home) -> None:
    home.land({**DENIED, "id": "1"})
    home.land({**GRANTED, "id": "2", "occurred_at": NOW + timedelta(days=1)}, days=1)
    home.land({**DENIED, "id": "1"}, days=40)

    assert home.store.personal(ANNA)


@pytest.mark.parametrize(
    "other",
    [{"id": "2"}, {"kind": "click"}, {"source": "shop"}, {"subject": "b" * 32}],
    ids=["another id", "another kind", "another source", "another person"],
)
def test_another_identity_is_no_repeat(home: Home, other: dict[str, Any]) -> None:
    home.land({"id": "1"})
    home.land({"id": "1", **other}, days=40)

    assert len(home.known() + [event.log_offset for event in home.store.recent("b" * 32)]) == 2


def test_rows_far_apart_in_one_part_are_no_repeats_of_themselves(home: Home) -> None:
    home.land({"id": "1"}, is_told=False)
    home.land({"id": "2"}, days=40, is_told=False)
    home.land({"id": "1"}, days=90, is_told=False)

    catch_up(home.store, home.lake, "feedback", 1)

    assert home.known() == [0, 1]


def test_live_events_are_looked_for_nowhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.land({"id": "1"})
    home.land({"id": "2", "occurred_at": NOW + timedelta(days=15)}, days=40)
    live = home.lake.scan(FEEDBACK).filter(pl.col("log_offset") == 1).collect()
    opened = counted_calls(monkeypatch, Lake, "table")  # type: ignore[arg-type]

    assert without_landed_again(live, home.lake, window_days=30) is live
    assert opened == []
