from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import online.store
from feedback.errors import ServiceError
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from online.port import OnlineStore, catch_up, push_commit, rebuild
from online.sqlite.store import SqliteBackend, SqliteOnlineStore
from tests.conftest import NOW
from tests.lakehouse.rows import batch, rows


def events(*given: dict[str, Any]) -> pl.DataFrame:
    frame = pl.from_arrow(rows(FEEDBACK, *({"id": str(n), "log_offset": n, **row} for n, row in enumerate(given))))
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.fixture
def store(tmp_path: Path) -> OnlineStore:
    return SqliteOnlineStore(tmp_path / "online.db")


def test_pushing_a_commit_twice_changes_nothing(store: OnlineStore) -> None:
    frame = events({"subject": "anna", "item_id": "a"}, {"subject": "anna", "item_id": "b"}, {"subject": "bob"})

    store.push(frame, {0: 3})
    store.push(frame, {0: 3})

    assert [event.item_id for event in store.recent("anna")] == ["a", "b"]
    assert store.positions() == {0: 3}


def test_positions_never_move_backwards(store: OnlineStore) -> None:
    store.push(events(), {0: 5})
    store.push(events(), {0: 2})

    assert store.positions() == {0: 5}


def test_kinds_that_say_nothing_of_an_item_are_not_kept(store: OnlineStore) -> None:
    store.push(
        events({"subject": "anna", "kind": "search"}, {"subject": "anna", "item_id": None, "kind": "view"}), {0: 2}
    )

    assert store.recent("anna") == []


def test_withdrawn_consent_holds_until_it_is_granted_again(store: OnlineStore) -> None:
    denied = {"subject": "anna", "kind": "consent", "payload": '{"denied":["personalization"]}'}
    granted = {**denied, "payload": '{"granted":["personalization"]}'}

    assert store.personal("anna")
    store.push(events(denied), {0: 1})
    assert not store.personal("anna")
    store.push(events({}, granted), {0: 2})
    assert store.personal("anna")


def test_an_anonymous_visit_counts_once_the_person_is_known(store: OnlineStore) -> None:
    linked = {"subject": "anna", "kind": "identify", "item_id": None, "payload": '{"anonymous_subject":"visitor"}'}

    store.push(events({"subject": "visitor", "item_id": "seen"}, linked), {0: 2})

    assert [event.item_id for event in store.recent("anna")] == ["seen"]


def test_events_that_the_bundle_knows_are_left_out_those_of_linked_visits_as_well(store: OnlineStore) -> None:
    linked = {"subject": "anna", "kind": "identify", "item_id": None, "payload": '{"anonymous_subject":"visitor"}'}
    own = [{"subject": "anna", "item_id": item} for item in "abc"]

    store.push(events(*own, {"subject": "visitor", "item_id": "seen"}, linked), {0: 5})

    assert [event.item_id for event in store.recent("anna", after={0: 2})] == ["c", "seen"]
    assert store.recent("anna", after={0: 4}) == []
    assert len(store.recent("anna", after={1: 7})) == 4


def test_what_another_worker_pushes_while_a_push_is_made_ready_is_left_out(
    tmp_path: Path, store: OnlineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = events({"subject": "anna", "item_id": "a"}, {"subject": "anna", "item_id": "b"})
    other = SqliteOnlineStore(tmp_path / "online.db")
    make_ready = online.store.online_rows

    def overtaken(fresh: pl.DataFrame) -> pl.DataFrame:
        monkeypatch.undo()
        other.push(frame[:1], {0: 1})
        return make_ready(fresh)

    monkeypatch.setattr("online.store.online_rows", overtaken)
    store.push(frame, {0: 2})

    assert [event.item_id for event in store.recent("anna")] == ["a", "b"]
    assert store.positions() == {0: 2}


def test_another_process_notices_a_push_by_the_stamp(tmp_path: Path, store: OnlineStore) -> None:
    reader = SqliteOnlineStore(tmp_path / "online.db")
    before = reader.stamp()

    store.push(events({"subject": "anna"}), {0: 1})

    assert reader.stamp() != before
    assert reader.stamp() == reader.stamp()


def test_what_was_committed_but_not_pushed_is_caught_up(tmp_path: Path, store: OnlineStore) -> None:
    from lakehouse.commit import LandingCommitter

    lake = Lake(str(tmp_path / "lake"))
    committer = LandingCommitter(lake, "feedback", 1)
    committer.commit(batch(0, 2), at=NOW)
    store.push(events({}, {}), {0: 2})
    committer.commit(batch(2, 5), at=NOW)

    assert catch_up(store, lake, "feedback", 1) == 3
    assert catch_up(store, lake, "feedback", 1) == 0
    assert len(store.recent("s" * 32)) == 5


def test_a_lost_store_is_rebuilt_from_the_lake(tmp_path: Path, store: OnlineStore) -> None:
    from lakehouse.commit import LandingCommitter

    lake = Lake(str(tmp_path / "lake"))
    LandingCommitter(lake, "feedback", 1).commit(batch(0, 4), at=NOW)

    assert rebuild(store, lake, "feedback", 1) == 4
    assert len(store.recent("s" * 32)) == 4


def test_trimming_forgets_events_that_the_bundle_knows(store: OnlineStore) -> None:
    frame = events(*({"subject": "anna", "item_id": item} for item in "abc"))
    store.push(frame[:2], {0: 2})
    store.push(frame[2:], {0: 3})

    assert store.trim(before={0: 1}) == 1
    assert store.trim(before={0: 2}) == 1
    assert [event.item_id for event in store.recent("anna")] == ["c"]


def test_what_another_worker_committed_and_did_not_push_is_pushed_before_the_next_commit(
    tmp_path: Path, store: OnlineStore
) -> None:
    from lakehouse.commit import LandingCommitter

    lake = Lake(str(tmp_path / "lake"))
    committer = LandingCommitter(lake, "feedback", 1)
    committer.commit(batch(0, 2), at=NOW)
    taken_over = batch(2, 3)
    committer.commit(taken_over, at=NOW)

    frame = pl.from_arrow(taken_over.feedback)
    assert isinstance(frame, pl.DataFrame)
    push_commit(store, lake, frame, start=taken_over.start, end=taken_over.end)

    assert [event.log_offset for event in store.recent("s" * 32)] == [0, 1, 2]


@pytest.mark.parametrize("item", ['quo"te', "back\\slash", "line\nbreak", "ü😀", "\x01"])
def test_any_item_id_comes_back_as_it_went_in(store: OnlineStore, item: str) -> None:
    store.push(events({"subject": "anna", "item_id": item, "value": None, "label": "like"}), {0: 1})

    (event,) = store.recent("anna")

    assert (event.item_id, event.value, event.label) == (item, None, "like")


def test_a_push_stands_where_tidying_fails(
    store: OnlineStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(backend: SqliteBackend) -> None:
        raise ServiceError("no room")

    monkeypatch.setattr(SqliteBackend, "tidy", fails)
    store.push(events({"subject": "anna", "item_id": "a"}), {0: 1})

    assert [event.item_id for event in store.recent("anna")] == ["a"]
    assert [record.getMessage() for record in caplog.records] == ["the online store is tidied later: no room"]
