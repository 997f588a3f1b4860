"""What the gateway answers to a record that comes again: a retry, another event under a taken id, or a new event."""

from __future__ import annotations

import sqlite3
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feedback.admission import Admission
from feedback.admitted import content_digest, derived_id, former_identity_key
from feedback.errors import Code
from feedback.intake import Intake, open_intake
from feedback.log.port import Memo, NewRecord
from feedback.log.sqlite import SqliteLog
from feedback.occurrences import Occurrences
from feedback.settings.home import Settings
from feedback.subjects import Pseudonyms
from feedback.verdicts import count_verdicts
from tests.conftest import NOW
from tests.feedback.log.memory_log import MemoryLog, Storage

RATING: dict[str, Any] = {"kind": "rating", "user_id": "u", "item_id": "i", "value": 4, "scale": [1, 5]}
LIKE: dict[str, Any] = {"kind": "reaction", "user_id": "u", "item_id": "i", "reaction": "like"}
DISLIKE = {**LIKE, "reaction": "dislike"}
TIME = "2026-02-01T10:00:00Z"
DENY = {"kind": "consent", "user_id": "ann", "denied": ["personalization"]}
GRANT = {"kind": "consent", "user_id": "ann", "granted": ["personalization"]}
NFD_NAME = unicodedata.normalize("NFD", "andré")
PSEUDONYMS = Pseudonyms(b"k" * 32)


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(Admission(PSEUDONYMS), SqliteLog(tmp_path / "log.db"), clock=lambda: NOW)


def words(intake: Intake, *records: dict[str, Any], **options: Any) -> list[str]:
    """The verdicts of records that come one request at a time."""
    return [verdict.verdict for record in records for verdict in intake.submit([record], **options)]


def lines(intake: Intake) -> list[dict[str, Any]]:
    found = [r for p in range(4) for r in intake.log.read(p, 0, max_events=999)]
    return [msgspec.json.decode(line) for record in found for line in record.value.split(b"\n")]


def test_two_tables_that_number_from_one_are_two_events_each(intake: Intake) -> None:
    like = {**LIKE, "id": 1, "source": "likes"}
    rating = {**RATING, "id": 1, "source": "ratings"}

    assert words(intake, like, rating, like, rating) == ["accepted", "accepted", "duplicate", "duplicate"]


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one by one"])
def test_a_taken_id_with_other_content_is_no_retry(intake: Intake, together: bool) -> None:
    records = [{**RATING, "id": "1"}, {**RATING, "id": "1"}, {**RATING, "id": "1", "value": 1}]

    verdicts = intake.submit(records) if together else [v for r in records for v in intake.submit([r])]

    assert [verdict.verdict for verdict in verdicts] == ["accepted", "duplicate", "rejected"]
    assert (verdicts[2].code, verdicts[2].field, verdicts[2].id) == (Code.ID_CONFLICT, "id", "1")
    assert "source" in (verdicts[2].remedy or "")
    assert count_verdicts(verdicts).codes == {"duplicate": 1, "id_conflict": 1}


def test_a_taken_id_is_told_apart_after_a_restart(settings: Settings) -> None:
    open_intake(settings).submit([{**RATING, "id": "1"}])

    verdicts = open_intake(settings).submit([{**RATING, "id": "1"}, {**RATING, "id": "1", "item_id": "other"}])

    assert [verdict.code for verdict in verdicts] == [Code.DUPLICATE, Code.ID_CONFLICT]


def test_the_time_of_receipt_and_the_order_of_keys_are_no_content(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    first, later = (
        Intake(Admission(PSEUDONYMS), log, clock=lambda at=at: at) for at in (NOW, NOW + timedelta(hours=1))
    )

    assert words(first, {**RATING, "id": "1", "zone": {"a": 1, "b": 2}}) == ["accepted"]
    assert words(later, {**RATING, "id": "1", "zone": {"b": 2, "a": 1}}) == ["duplicate"]


def test_an_id_of_the_gateways_own_is_recognised_when_it_is_sent(intake: Intake) -> None:
    (first,) = intake.submit([{**RATING, "occurred_at": TIME}])

    assert words(intake, {**RATING, "occurred_at": TIME, "id": first.id}) == ["duplicate"]


def test_a_log_in_memory_tells_what_it_remembers(tmp_path: Path) -> None:
    intake = Intake(Admission(PSEUDONYMS), MemoryLog(Storage()), clock=lambda: NOW)

    verdicts = [v for value in (4, 4, 1) for v in intake.submit([{**RATING, "id": "1", "value": value}])]

    assert [verdict.code for verdict in verdicts] == [None, Code.DUPLICATE, Code.ID_CONFLICT]


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one by one"])
@pytest.mark.parametrize(("one", "other"), [(DENY, GRANT), (LIKE, DISLIKE)], ids=["consent", "reaction"])
def test_an_undated_statement_is_a_retry_only_of_the_latest(
    intake: Intake, one: dict[str, Any], other: dict[str, Any], together: bool
) -> None:
    sent = [one, one, other, one, one]

    found = [v.verdict for v in intake.submit(sent)] if together else words(intake, *sent)

    assert found == ["accepted", "duplicate", "accepted", "accepted", "duplicate"]


def test_the_latest_statement_is_known_after_a_restart_and_to_other_gateways(settings: Settings) -> None:
    one, other = open_intake(settings), open_intake(settings)

    assert words(one, DENY) == ["accepted"]
    assert words(other, DENY, GRANT) == ["duplicate", "accepted"]
    assert words(one, GRANT, DENY) == ["duplicate", "accepted"]
    assert words(open_intake(settings), DENY) == ["duplicate"]


@pytest.mark.parametrize("stated", [{"occurred_at": TIME}, {"id": "7"}], ids=["time", "id"])
@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one by one"])
def test_a_statement_with_id_or_time_replaces_an_undated_one_too(
    intake: Intake, stated: dict[str, Any], together: bool
) -> None:
    sent = [LIKE, {**DISLIKE, **stated}, LIKE]

    found = [v.verdict for v in intake.submit(sent)] if together else words(intake, *sent)

    assert found == ["accepted", "accepted", "accepted"]


def test_statements_about_other_things_do_not_meet(intake: Intake) -> None:
    answer = {"kind": "survey", "user_id": "u", "metric": "nps", "value": 9, "question_id": "q1"}
    apart = [
        answer, {**answer, "question_id": "q2"}, {**answer, "order_id": "o"}, {**answer, "user_id": "v"},
        LIKE, {**LIKE, "item_id": "j"}, {"kind": "follow", "user_id": "u", "item_id": "i"},
    ]  # fmt: skip

    assert words(intake, *apart, *apart) == ["accepted"] * 7 + ["duplicate"] * 7


def test_in_stock_sold_out_in_stock_ends_in_stock(intake: Intake) -> None:
    entry = {"kind": "item", "item_id": "i", "title": "T"}

    assert words(intake, entry, {**entry, "available": False}, entry, entry) == ["accepted"] * 3 + ["duplicate"]


def test_undated_views_count_over_http_and_once_in_a_file_that_comes_again(intake: Intake) -> None:
    view = {"kind": "view", "user_id": "u", "item_id": "i"}

    assert words(intake, view, view) == ["accepted", "accepted"]
    for verdict in ("accepted", "duplicate"):
        counted = Occurrences()
        assert words(intake, view, view, view, occurrences=counted) == [verdict] * 3


def test_a_name_in_other_letters_is_linked_to_its_old_pseudonym_once(intake: Intake) -> None:
    old = PSEUDONYMS.former_subject_of(NFD_NAME)

    assert words(intake, {**RATING, "user_id": NFD_NAME}, {**LIKE, "user_id": NFD_NAME}) == ["accepted", "accepted"]

    links = [line for line in lines(intake) if line["kind"] == "identify"]
    assert [msgspec.json.decode(link["payload"]) for link in links] == [{"anonymous_subject": old}]
    assert links[0]["subject"] == PSEUDONYMS.subject_of(unicodedata.normalize("NFC", NFD_NAME)) != old
    assert len(lines(intake)) == 3


def test_an_identification_links_the_old_pseudonyms_of_both_ids(intake: Intake) -> None:
    words(intake, {"kind": "identify", "user_id": NFD_NAME, "anonymous_id": NFD_NAME, "occurred_at": TIME})

    assert [line["id"].partition("-")[0] for line in lines(intake)] == ["nfc", "nfc", "auto"]


def old_log(path: Path, *keys: bytes) -> None:
    """A log file as the release of November 2026 left it, with the keys that it remembered."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE identities (key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID")
        connection.executemany("INSERT INTO identities VALUES (?, 20512)", [(key,) for key in keys])
    connection.close()


def test_keys_of_an_old_file_say_nothing_about_other_kinds_and_sources(tmp_path: Path) -> None:
    subject = PSEUDONYMS.subject_of("u")
    old_log(tmp_path / "log.db", former_identity_key(subject, "1"))
    intake = Intake(Admission(PSEUDONYMS), SqliteLog(tmp_path / "log.db"), clock=lambda: NOW)

    assert words(intake, {**RATING, "id": "1"}) == ["accepted"]  # landing knows by the rows whether it was there


def test_events_that_the_release_before_knew_under_another_id_are_retries(tmp_path: Path) -> None:
    reordered = {"kind": "click", "user_id": "u", "item_id": "i", "occurred_at": TIME, "zone": {"b": 1, "a": 2}}
    renamed = {**RATING, "user_id": NFD_NAME, "id": "7"}
    content = {
        "v": 1, "kind": "click", "subject": PSEUDONYMS.subject_of("u"), "item_id": "i", "source": "api",
        "decision_id": None, "consent": None, "payload": None, "attributes": '{"zone":{"b":1,"a":2}}',
        "occurred_at": 1_769_940_000_000_000,
    }  # fmt: skip
    old_id = derived_id(content_digest(content, compose=False))
    old_log(
        tmp_path / "log.db",
        former_identity_key(PSEUDONYMS.subject_of("u"), old_id),
        former_identity_key(PSEUDONYMS.former_subject_of(NFD_NAME) or "", "7"),
    )
    intake = Intake(Admission(PSEUDONYMS), SqliteLog(tmp_path / "log.db"), clock=lambda: NOW)

    assert words(intake, reordered, renamed, {**renamed, "id": "8"}) == ["duplicate", "duplicate", "accepted"]


def test_a_process_of_the_release_before_goes_on_beside_this_one(tmp_path: Path) -> None:
    old_log(tmp_path / "log.db")
    intake = Intake(Admission(PSEUDONYMS), SqliteLog(tmp_path / "log.db"), clock=lambda: NOW)

    with sqlite3.connect(tmp_path / "log.db") as old:
        old.execute("INSERT OR IGNORE INTO identities VALUES (?, ?)", (b"k" * 16, 20512))
    old.close()

    assert words(intake, {**RATING, "id": "1"}) == ["accepted"]


def test_latest_statements_are_forgotten_with_the_retention(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.append([NewRecord(0, b"x", 1, (Memo(b"k" * 16, 7, "consent\0ann", undated=True),))], now=NOW)
    assert log.latest_statements(["consent\0ann", "consent\0bob"]) == {"consent\0ann": 7}

    log.trim(before=NOW + timedelta(days=2), keep_from={})

    assert log.latest_statements(["consent\0ann"]) == {}
