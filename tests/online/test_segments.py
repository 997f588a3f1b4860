from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from online.backend import OnlineBackend
from online.sqlite import former_slots, segments
from online.sqlite.store import SqliteBackend
from tests.online.backend_conformance import OnlineBackendConformance, add, encoded_events, items_of

ANNA, BOB = "a" * 32, "b" * 32


class TestSqliteBackend(OnlineBackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[OnlineBackend]:
        backend = SqliteBackend(tmp_path / "online.db")
        yield backend
        backend.close()


class TestSqliteBackendOfManySegments(OnlineBackendConformance):
    """The same where each push is a segment and every ninth push merges."""

    @pytest.fixture
    def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnlineBackend]:
        monkeypatch.setattr(segments, "SEGMENT_EVENTS", 1)
        monkeypatch.setattr(segments, "MANY_SEGMENTS", 8)
        backend = SqliteBackend(tmp_path / "online.db")
        yield backend
        backend.close()


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_EVENTS", 1)
    monkeypatch.setattr(segments, "MANY_SEGMENTS", 8)


def counts(path: Path) -> list[tuple[int, int]]:
    """Of each segment, whether it is merged and how many events it has."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT is_merged, events FROM segments ORDER BY segment").fetchall()


@pytest.mark.usefixtures("small_segments")
def test_a_read_looks_at_few_segments_however_many_pushes_there_were(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "online.db")
    for at in range(34):
        add(backend, (ANNA, 2 * at, f"a{at}"), (BOB, 2 * at + 1, f"b{at}"))

    assert counts(tmp_path / "online.db") == [(1, 16)] * 4 + [(0, 2)] * 2
    assert items_of(backend, ANNA) == [f"a{at}" for at in range(34)]
    assert backend.trim(before={0: 20}) == 16  # a merged segment goes as a whole
    assert items_of(backend, BOB) == [f"b{at}" for at in range(8, 34)]
    backend.close()


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("ranges", range(8))
def test_a_merge_that_was_cut_short_loses_and_doubles_nothing(tmp_path: Path, ranges: int) -> None:
    backend = SqliteBackend(tmp_path / "online.db")
    backend.tidy = lambda: None  # type: ignore[method-assign]
    heads = [f"{number:04x}".ljust(32, "0") for number in range(0, 1 << 16, 1 << 12)]  # two in each range
    for at in range(9):
        add(backend, *((head, at * 100 + n, f"{head}-{at}") for n, head in enumerate(heads)))
    add(backend, (ANNA, 0, "other"), partition=1)
    with closing(sqlite3.connect(tmp_path / "online.db", isolation_level=None)) as killed:
        due = segments.next_merge(killed)
        for number in range(ranges):
            segments.merge_slots(killed, due, number * segments.SLOTS_AT_ONCE)
    del backend.tidy
    expected = {head: [f"{head}-{at}" for at in range(9)] for head in heads}

    assert {head: items_of(backend, head) for head in heads} == expected
    assert backend.trim(before={1: 1}) == 1
    assert {head: items_of(backend, head) for head in heads} == expected

    add(backend, (ANNA, 1000, "more"))

    assert {head: items_of(backend, head) for head in heads} == expected
    assert counts(tmp_path / "online.db")[0] == (1, 8 * len(heads))
    backend.close()


@pytest.mark.usefixtures("small_segments")
def test_a_trim_amid_a_merge_keeps_what_was_moved_into_a_segment_that_is_old_otherwise(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "online.db")
    backend.tidy = lambda: None  # type: ignore[method-assign]
    add(backend, ("0" * 32, 0, "kept"), partition=1)
    for at in range(8):
        add(backend, (BOB, at, f"b{at}"))
    with closing(sqlite3.connect(tmp_path / "online.db", isolation_level=None)) as killed:
        segments.merge_slots(killed, segments.next_merge(killed), 0)

    assert backend.trim(before={0: 8}) == 8
    assert items_of(backend, "0" * 32) == ["kept"]
    backend.close()


def test_slots_are_the_same_in_columns_and_for_one() -> None:
    subjects = [ANNA, "ffff", "0000", "fff", "", "+123", "g123", "ABCD", "ü123", "1_23", "12 3", "12345"]
    events = encoded_events(*((subject, at, "x") for at, subject in enumerate(subjects)))

    assert segments.slots_of(events.subjects).tolist() == [segments.slot_of(subject) for subject in subjects]
    assert segments.slot_of("ffff") == segments.SLOTS - 1


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A file in the layout of earlier releases: 9 commits of two events each, whose slots both share."""
    path = tmp_path / "online.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE slots (slot TEXT NOT NULL, events TEXT NOT NULL);"
            "CREATE INDEX slots_by_slot ON slots (slot);"
            "CREATE TABLE commits (first_row INTEGER PRIMARY KEY, last_row INTEGER NOT NULL, events INTEGER NOT NULL,"
            " ends TEXT NOT NULL);"
            "CREATE TABLE positions (log_partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);"
            "CREATE TABLE links (subject TEXT NOT NULL, anonymous TEXT NOT NULL, PRIMARY KEY (subject, anonymous))"
            " WITHOUT ROWID; INSERT INTO links VALUES ('anna', 'visit');"
            "INSERT INTO positions VALUES (0, 18);"
        )
        for at in range(9):
            rest = "view", f"a{at}", None, None, None, None, 5
            other = [0, 2 * at + 1, 0, "rating", f"b{at}", 4.0, 1.0, 5.0, None, 5]
            text = json.dumps([["aaa" + "0" * 29, [0, 2 * at, 0, *rest]], ["aaa" + "1" * 29, other]])[1:-1]
            connection.execute("INSERT INTO slots (rowid, slot, events) VALUES (?, 'aaa', ?)", (at + 1, text))
            ends = json.dumps([[0, 2 * at + 2]])
            connection.execute("INSERT INTO commits VALUES (?, ?, 2, ?)", (at + 1, at + 1, ends))
    return path


def test_events_of_an_earlier_release_are_read_at_once_and_moved_by_pushes(
    former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(former_slots, "EVENTS_AT_ONCE", 6)
    monkeypatch.setattr(segments, "SEGMENT_EVENTS", 1)
    writer, reader = SqliteBackend(former), SqliteBackend(former)
    first, second = "aaa" + "0" * 29, "aaa" + "1" * 29
    for pushed in range(5):
        for backend in (writer, reader):
            assert items_of(backend, first) == [f"a{at}" for at in range(9)] + ["new"] * pushed
            assert items_of(backend, second) == [f"b{at}" for at in range(9)]
        add(writer, (first, 18 + pushed, "new"))

    with closing(sqlite3.connect(former)) as connection:
        assert not former_slots.are_there(connection)
    assert items_of(reader, first, at_most=4) == ["new"] * 4
    assert reader.links() == [("anna", "visit", 0)]
    assert reader.claimants_of("visit", at_most=2) == ["anna"]
    assert writer.trim(before={0: 18}) == 18
    assert items_of(reader, first) == ["new"] * 5
    for backend in (writer, reader):
        backend.close()


def test_what_a_process_of_an_earlier_release_adds_beside_this_one_is_moved_by_the_next_push(former: Path) -> None:
    backend = SqliteBackend(former)
    add(backend, ("aaa" + "0" * 29, 17, "moved"))
    add(backend, ("aaa" + "0" * 29, 18, "new"))
    with closing(sqlite3.connect(former)) as old, old:
        old.execute("CREATE TABLE slots (slot TEXT NOT NULL, events TEXT NOT NULL)")
        old.execute("CREATE TABLE commits (first_row INTEGER PRIMARY KEY, last_row INTEGER, events INTEGER, ends TEXT)")
        text = json.dumps(["aaa" + "0" * 29, [0, 19, 0, "view", "beside", None, None, None, None, 5]])
        old.execute("INSERT INTO slots (rowid, slot, events) VALUES (1, 'aaa', ?)", (text,))
        old.execute("INSERT INTO commits VALUES (1, 1, 1, '[[0, 20]]')")
        old.execute("UPDATE positions SET position = 20")

    add(backend, ("aaa" + "0" * 29, 20, "later"))

    assert items_of(backend, "aaa" + "0" * 29)[-3:] == ["new", "beside", "later"]
    backend.close()


def test_events_of_an_earlier_release_are_trimmed_before_they_are_moved(former: Path) -> None:
    backend = SqliteBackend(former)

    assert backend.trim(before={0: 5}) == 4
    assert items_of(backend, "aaa" + "0" * 29) == [f"a{at}" for at in range(2, 9)]
    assert backend.trim(before={0: 18}) == 14
    assert items_of(backend, "aaa" + "0" * 29) == []
    backend.close()


@pytest.mark.usefixtures("small_segments")
def test_a_trim_lets_other_writers_in_after_each_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, other = SqliteBackend(tmp_path / "online.db"), SqliteBackend(tmp_path / "online.db")
    for at in range(3):
        add(backend, (ANNA, 2 * at, f"a{at}"), (BOB, 2 * at + 1, f"b{at}"))
    trim, seen = segments.trim, []

    def watched(connection: sqlite3.Connection, number: int, before: Mapping[int, int]) -> int:
        seen.append(len(items_of(other, ANNA)))
        return trim(connection, number, before)

    monkeypatch.setattr(segments, "trim", watched)

    assert backend.trim(before={0: 5}) == 5
    assert seen == [3, 2, 1]  # what a segment lost is committed before the next one
    assert items_of(other, ANNA, BOB) == ["b2"]
    for opened in (backend, other):
        opened.close()


def test_a_trim_of_an_earlier_release_is_in_parts(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former_slots, "EVENTS_AT_ONCE", 4)
    backend = SqliteBackend(former)
    statements: list[str] = []
    backend._connection.set_trace_callback(statements.append)

    assert backend.trim(before={0: 12}) == 12

    assert statements.count("COMMIT") >= 3
    assert items_of(backend, "aaa" + "0" * 29) == ["a6", "a7", "a8"]
    backend.close()


def test_a_read_of_one_who_has_very_many_events_in_a_segment_is_bounded(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "online.db")
    add(backend, *((ANNA, at, f"a{at}") for at in range(500)))
    add(backend, (ANNA, 500, "last"))

    found = items_of(backend, ANNA, at_most=2)

    assert found[-2:] == ["a499", "last"]
    assert len(found) < 100
    assert len(items_of(backend, ANNA, at_most=501)) == 501
    backend.close()
