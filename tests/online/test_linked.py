"""Links in the online store: they merge history and consent, and they last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.tables.feedback import FEEDBACK
from online.port import OnlineStore
from online.sqlite.store import SqliteOnlineStore
from tests.conftest import NOW
from tests.lakehouse.rows import rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = SqliteOnlineStore(tmp_path / "online.db")
    yield opened
    opened.close()


def push(store: OnlineStore, *given: dict[str, Any]) -> None:
    """Push rows as one commit of partition 0."""
    start = store.positions().get(0, 0)
    numbered = [{"id": str(n), "log_offset": start + n, **row} for n, row in enumerate(given)]
    frame = pl.from_arrow(rows(FEEDBACK, *numbered))
    assert isinstance(frame, pl.DataFrame)
    store.push(frame, {0: start + len(given)})


def link(subject: str, anonymous: str, *, minute: int = 0) -> dict[str, Any]:
    payload = f'{{"anonymous_subject":"{anonymous}"}}'
    at = NOW + timedelta(minutes=minute)
    return {"kind": "identify", "subject": subject, "item_id": None, "payload": payload, "received_at": at}


def click(subject: str, item: str) -> dict[str, Any]:
    return {"kind": "click", "subject": subject, "item_id": item}


def denial(subject: str) -> dict[str, Any]:
    return {"kind": "consent", "subject": subject, "item_id": None, "payload": '{"denied":["personalization"]}'}


def items_of(store: OnlineStore, subject: str) -> list[str]:
    return sorted(event.item_id for event in store.recent(subject))


def test_all_subjects_of_a_person_share_one_history(store: OnlineStore) -> None:
    push(store, click("visit", "a"), click("anna", "b"), click("phone", "c"), click("bob", "d"))
    push(store, link("anna", "visit"), link("anna", "visit"), link("anna", "phone"))

    assert {who: items_of(store, who) for who in ("anna", "visit", "phone", "bob")} == {
        "anna": ["a", "b", "c"], "visit": ["a", "b", "c"], "phone": ["a", "b", "c"], "bob": ["d"],
    }  # fmt: skip


def test_the_consent_of_each_subject_of_a_person_is_looked_at(store: OnlineStore) -> None:
    push(store, link("anna", "visit"), link("anna", "phone"), denial("phone"))

    assert not any(map(store.personal, ("anna", "visit", "phone")))


def test_a_visit_is_not_served_personally_against_the_will_of_anybody_who_claims_it(store: OnlineStore) -> None:
    push(store, link("anna", "visit", minute=1), link("bob", "visit", minute=2), denial("bob"))

    assert [store.personal(who) for who in ("anna", "visit", "bob")] == [True, False, False]


def test_a_shared_visit_shows_its_person_to_nobody_else(store: OnlineStore) -> None:
    push(store, click("visit", "a"), click("anna", "b"), click("bob", "c"))
    push(store, link("bob", "visit", minute=5), link("anna", "visit", minute=1))

    assert items_of(store, "visit") == items_of(store, "anna") == ["a", "b"]
    assert items_of(store, "bob") == ["a", "c"]


@pytest.mark.parametrize("links", [[("b", "a"), ("c", "b"), ("a", "c")], [("c", "b"), ("b", "a")]])
def test_circles_and_chains_end(store: OnlineStore, links: list[tuple[str, str]]) -> None:
    push(store, *(click(who, who) for who in "abcd"), *(link(*pair) for pair in links))

    assert items_of(store, "a") == items_of(store, "c") == ["a", "b", "c"]
    assert all(map(store.personal, "abc"))


def test_a_visit_that_very_many_claim_is_nobody_and_they_stay_who_they_are(
    store: OnlineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("online.store.MAX_LINKED", 5)
    push(store, *(click(who, who) for who in ("u0", "u7", "visit")))
    push(store, *(link(f"u{n}", "visit", minute=n) for n in range(7)), link("u7", "visit", minute=7), denial("u6"))

    assert (store.linked("visit"), store.personal("visit")) == (["visit"], False)
    assert items_of(store, "u0") == ["u0", "visit"]
    assert items_of(store, "u7") == ["u7", "visit"]
    assert [store.personal(who) for who in ("u0", "u6", "u7")] == [True, False, True]


@pytest.mark.parametrize(("visits", "personal"), [(5, True), (6, False)])
def test_a_person_has_a_bounded_number_of_visits(
    store: OnlineStore, monkeypatch: pytest.MonkeyPatch, visits: int, personal: bool
) -> None:
    monkeypatch.setattr("online.store.MAX_LINKED", 5)
    push(store, click("anna", "own"), *(click(f"v{n}", f"i{n}") for n in range(visits)))
    push(store, *(link("anna", f"v{n}") for n in range(visits)))

    assert {store.personal(who) for who in ("anna", "v0")} == {personal}
    assert len(items_of(store, "anna")) == (1 + visits if personal else 1)


def test_links_outlast_the_events_and_the_process(tmp_path: Path, store: OnlineStore) -> None:
    push(store, click("visit", "a"), link("anna", "visit"), denial("visit"))
    assert store.trim(before={0: 3}) == 1

    again = SqliteOnlineStore(tmp_path / "online.db")
    push(again, click("visit", "later"))

    assert items_of(again, "anna") == ["later"]
    assert not again.personal("anna")
    again.close()
