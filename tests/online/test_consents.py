from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from online.port import OnlineStore, catch_up
from online.sqlite.store import SqliteOnlineStore
from tests.conftest import NOW
from tests.lakehouse.rows import rows

DENIED = '{"denied":["personalization"]}'
GRANTED = '{"granted":["personalization"]}'
SUBJECTS = ("anna", "anna-before", "visitor")
SCHEMA_OF_0_1 = """
CREATE TABLE consent (
    subject TEXT PRIMARY KEY, personalization INTEGER NOT NULL, occurred_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE links (subject TEXT NOT NULL, anonymous TEXT NOT NULL, PRIMARY KEY (subject, anonymous)) WITHOUT ROWID;
INSERT INTO links VALUES ('anna', 'visitor');
"""
POSITION_OF_0_1 = """
CREATE TABLE positions (log_partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
INSERT INTO positions VALUES (0, 4);
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = SqliteOnlineStore(tmp_path / "online.db")
    yield opened
    opened.close()


def frame(*given: dict[str, Any]) -> pl.DataFrame:
    made = pl.from_arrow(rows(FEEDBACK, *({"id": str(n), "item_id": None, **row} for n, row in enumerate(given))))
    assert isinstance(made, pl.DataFrame)
    return made


def stated(
    subject: str, payload: str | None, offset: int, *, minute: float, made: float | None = None
) -> dict[str, Any]:
    return {
        "subject": subject,
        "kind": "consent",
        "payload": payload,
        "log_offset": offset,
        "received_at": NOW + timedelta(minutes=minute),
        "occurred_at": NOW + timedelta(minutes=minute if made is None else made),
    }


def linked(subject: str, anonymous: str, offset: int) -> dict[str, Any]:
    payload = f'{{"anonymous_subject":"{anonymous}"}}'
    return {"subject": subject, "kind": "identify", "payload": payload, "log_offset": offset}


def test_a_withdrawal_after_a_grant_from_a_phone_that_is_fast_holds(store: OnlineStore) -> None:
    store.push(frame(stated("anna", GRANTED, 0, minute=0, made=4)), {0: 1})
    store.push(frame(stated("anna", DENIED, 1, minute=1)), {0: 2})

    assert not store.personal("anna")


def test_an_old_grant_that_arrives_late_does_not_undo_a_withdrawal(store: OnlineStore) -> None:
    store.push(frame(stated("anna", DENIED, 0, minute=0)), {0: 1})
    store.push(frame(stated("anna", GRANTED, 1, minute=5, made=-60)), {0: 2})
    assert not store.personal("anna")

    store.push(frame(stated("anna", GRANTED, 2, minute=6)), {0: 3})
    assert store.personal("anna")


@pytest.mark.parametrize("who", ["anna", "anna-before", "visitor"])
def test_a_withdrawal_counts_for_all_linked_subjects_but_not_for_others_of_the_same_visit(
    store: OnlineStore, who: str
) -> None:
    links = [linked("anna", "anna-before", 0), linked("anna-before", "visitor", 1), linked("bob", "visitor", 2)]
    store.push(frame(*links, {"subject": "visitor", "item_id": "seen", "log_offset": 3}), {0: 4})
    assert all(map(store.personal, SUBJECTS))
    assert [event.item_id for event in store.recent("anna")] == ["seen"]

    store.push(frame(stated(who, DENIED, 4, minute=0)), {0: 5})

    assert not any(map(store.personal, ("anna", "visitor")))
    assert store.personal("bob") is (who != "visitor")
    assert store.personal("stranger")


def test_links_that_run_in_a_circle_end(store: OnlineStore) -> None:
    store.push(frame(linked("anna", "visitor", 0), linked("visitor", "anna", 1)), {0: 2})

    assert store.personal("anna")
    assert store.recent("anna") == []


def test_payloads_that_say_nothing_are_ignored_and_told_of(
    store: OnlineStore, caplog: pytest.LogCaptureFixture
) -> None:
    odd = ['{"denied":null}', "not json", "[]", "7", '{"denied":{"a":1}}', None, '{"granted":[[]]}']
    consents = [stated("anna", payload, n, minute=n) for n, payload in enumerate(odd)]
    identifies = [{**row, "kind": "identify", "log_offset": 10 + n} for n, row in enumerate(consents)]

    with caplog.at_level(logging.WARNING):
        store.push(frame(*consents, *identifies, stated("anna", DENIED, 30, minute=30)), {0: 31})

    assert not store.personal("anna")
    assert [record.getMessage() for record in caplog.records] == [
        "3 events of kind consent have no usable payload and are ignored; the first is at partition 0, offset 1, "
        "index 0",
        "7 events of kind identify have no usable payload and are ignored; the first is at partition 0, offset 10, "
        "index 0",
    ]


@pytest.mark.parametrize("received", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_an_absurd_receipt_binds_nobody_for_good(store: OnlineStore, received: datetime) -> None:
    denial = {**stated("anna", DENIED, 0, minute=0), "received_at": received}
    store.push(frame(denial), {0: 1})
    assert not store.personal("anna")

    store.push(frame(stated("anna", GRANTED, 1, minute=24 * 60)), {0: 2})

    assert store.personal("anna")


def test_a_store_of_an_earlier_release_keeps_its_withdrawals_until_they_are_undone(tmp_path: Path) -> None:
    withdrawn_at = int((NOW - timedelta(days=1)).timestamp() * 1e6)
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(SCHEMA_OF_0_1)
        connection.executemany(
            "INSERT INTO consent VALUES (?, ?, ?)", [("anna", 0, withdrawn_at), ("bob", 1, withdrawn_at)]
        )
        connection.commit()

    SqliteOnlineStore(tmp_path / "old.db").close()
    store = SqliteOnlineStore(tmp_path / "old.db")

    assert [store.personal(who) for who in ("anna", "visitor", "bob")] == [False, False, True]
    store.push(frame(stated("anna", GRANTED, 0, minute=0, made=-2 * 24 * 60)), {0: 1})
    assert not store.personal("anna")
    store.push(frame(stated("anna", GRANTED, 1, minute=1)), {0: 2})
    assert store.personal("anna")
    store.close()


def test_after_an_upgrade_consent_is_taken_from_the_lake_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    told = [
        stated("anna", GRANTED, 0, minute=0, made=4),  # by a phone that is fast: the earlier release let it win
        stated("anna", DENIED, 1, minute=1),
        stated("bob", DENIED, 2, minute=0),
        stated("bob", GRANTED, 3, minute=1),
    ]
    feedback = rows(FEEDBACK, *({"id": str(n), "item_id": None, **row} for n, row in enumerate(told)))
    LandingCommitter(lake, "feedback", 1).commit(LandingBatch({0: 0}, {0: 4}, {"feedback": feedback}), at=NOW)
    later = int((NOW + timedelta(minutes=4)).timestamp() * 1e6)
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(SCHEMA_OF_0_1 + POSITION_OF_0_1)
        connection.executemany(
            "INSERT INTO consent VALUES (?, ?, ?)", [("anna", 1, later), ("bob", 0, later), ("carl", 0, later)]
        )
        connection.commit()
    store = SqliteOnlineStore(tmp_path / "old.db")
    people = ("anna", "bob", "carl")
    assert [store.personal(who) for who in people] == [True, False, False]

    assert catch_up(store, lake, "feedback", 1) == 0

    assert [store.personal(who) for who in people] == [False, True, False]
    assert not store.owes_consents()
    store.close()


def test_after_an_upgrade_a_shared_visit_belongs_to_the_first_claim_in_the_lake(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    told = [
        {**linked(who, "shared", at), "id": who, "item_id": None, "received_at": NOW + timedelta(minutes=at)}
        for at, who in enumerate(("bob", "anna"))
    ]
    feedback = rows(FEEDBACK, *told)
    LandingCommitter(lake, "feedback", 1).commit(LandingBatch({0: 0}, {0: 2}, {"feedback": feedback}), at=NOW)
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        links = SCHEMA_OF_0_1[SCHEMA_OF_0_1.index("CREATE TABLE links") :]  # what later releases kept of it
        connection.executescript(links + POSITION_OF_0_1.replace("(0, 4)", "(0, 2)"))
        connection.executemany("INSERT INTO links VALUES (?, 'shared')", [("anna",), ("bob",)])
    store = SqliteOnlineStore(tmp_path / "old.db")
    assert store.canonical()["shared"] == "anna"

    assert catch_up(store, lake, "feedback", 1) == 0

    assert store.canonical() == {"shared": "bob", "visitor": "anna"}
    assert store.linked("shared") == ["bob", "shared"]
    assert not store.owes_consents()
    store.close()


def test_consent_is_not_restated_by_a_reader_that_another_worker_has_overtaken(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(SCHEMA_OF_0_1)
    store = SqliteOnlineStore(tmp_path / "old.db")
    store.push(frame(stated("anna", DENIED, 0, minute=0)), {0: 1})

    assert not store.restate_consents(frame(), at={})

    assert not store.personal("anna")
    assert store.owes_consents()
    store.close()


Statements = list[tuple[int, str, bool, int, int]]
"""Partition, subject, granted, received, made; in the order of the log."""

moments = st.integers(0, 3)
statements = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(SUBJECTS), st.booleans(), moments, moments), min_size=2, max_size=10
)


def landed(drawn: Statements) -> pl.DataFrame:
    told = [
        {**stated(who, GRANTED if granted else DENIED, place, minute=received, made=made), "log_partition": partition}
        for place, (partition, who, granted, received, made) in enumerate(drawn)
    ]
    links = [linked("anna", "anna-before", 100), linked("anna-before", "visitor", 101)]
    return frame(*told, *links)


@given(statements, st.data())
@settings(deadline=None, max_examples=100)
def test_however_a_log_is_cut_into_pushes_consent_is_the_same(drawn: Statements, data: st.DataObject) -> None:
    whole = landed(drawn)
    at_once, one_by_one, in_parts = (SqliteOnlineStore(":memory:") for _ in range(3))
    at_once.push(whole, {0: 200, 1: 200})
    for place, (partition, *_) in enumerate(drawn):
        one_by_one.push(whole[place : place + 1], {partition: place + 1})
    one_by_one.push(whole, {0: 200, 1: 200})

    ends = {0: 0, 1: 0}
    for _ in range(data.draw(st.integers(1, 8), label="pushes")):
        partition = data.draw(st.integers(0, 1), label="partition")
        until = data.draw(st.integers(0, 12), label="until")
        since = data.draw(st.integers(0, ends[partition]), label="since")  # a push may repeat what was pushed
        offset = pl.col("log_offset")
        mine = (pl.col("log_partition") == partition) & (offset >= since) & (offset < until)
        in_parts.push(whole.filter(mine).sample(fraction=1, shuffle=True, seed=1), {partition: until})
        ends[partition] = max(ends[partition], until)
    in_parts.push(whole, {0: 200, 1: 200})

    answers = [[store.personal(who) for who in SUBJECTS] for store in (at_once, one_by_one, in_parts)]
    assert answers[0] == answers[1] == answers[2]
    for store in (at_once, one_by_one, in_parts):
        store.close()
