"""Serving in this process: what is made once, and what has to be made again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from feedback.settings.home import Settings
from lakehouse.tables.feedback import FEEDBACK
from models.bundle.store import BundleStore
from online.open import open_online_store
from online.port import OnlineStore
from serving.service import Served, Service, open_service
from tests.lakehouse.rows import rows
from tests.models.test_learning_core import START, publish, publish_factors


@pytest.fixture
def store(settings: Settings) -> OnlineStore:
    """Landing's side of the online store: a connection of its own, as another process has it."""
    return open_online_store(settings.online)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    publish_factors(BundleStore(settings.paths.bundles))
    opened = open_service(settings, watch=False)
    yield opened
    opened.close()


def land(store: OnlineStore, subject: str, item_id: str, *, offset: int, **more: Any) -> None:
    row = {"subject": subject, "item_id": item_id, "id": str(offset), "log_offset": offset, "value": 5.0}
    frame = pl.from_arrow(rows(FEEDBACK, {**row, "scale_min": 1.0, "scale_max": 5.0, **more}))
    assert isinstance(frame, pl.DataFrame)
    store.push(frame, {0: offset + 1})


def items(served: Served) -> list[str]:
    return [item.item_id for item in served.items]


def test_every_serving_has_a_decision_id_of_its_own_and_is_otherwise_the_same(service: Service) -> None:
    first, again = (msgspec.json.decode(service.recommend_json("s1", 3), type=Served) for _ in range(2))

    assert first.decision_id != again.decision_id
    assert len(first.decision_id) == len(again.decision_id) == 32
    assert msgspec.structs.replace(first, decision_id="") == msgspec.structs.replace(again, decision_id="")
    assert first.source == "personal"
    assert len(first.items) == 3


def test_what_was_landed_a_moment_ago_changes_the_next_list(service: Service, store: OnlineStore) -> None:
    before = service.recommend("stranger", 3)
    land(store, "stranger", items(before)[0], offset=0)
    after = service.recommend("stranger", 3)

    assert (before.source, before.known_items) == ("popular", 0)
    assert (after.source, after.known_items) == ("blend", 1)
    assert items(before)[0] not in items(after)
    assert after.items[0].reason.startswith("because you liked")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"value": 5.0}, "because you liked "),
        ({"value": 3.0}, "because you rated "),
        ({"kind": "purchase", "value": None}, "because of "),
    ],
    ids=["five stars", "three stars", "a purchase"],
)
def test_a_reason_claims_no_more_than_the_person_said(
    service: Service, store: OnlineStore, event: dict[str, Any], words: str
) -> None:
    land(store, "stranger", "i1", offset=0, **event)

    assert {item.reason for item in service.recommend("stranger", 3).items} == {words + "i1"}


def test_another_persons_feedback_leaves_the_made_list_standing(service: Service, store: OnlineStore) -> None:
    before = service._made("s1", 3)
    land(store, "somebody else", "i1", offset=0)
    after = service._made("s1", 3)

    assert after.body is before.body
    assert after.stamp != before.stamp


def test_who_withdraws_personalization_gets_what_is_popular_from_then_on(service: Service, store: OnlineStore) -> None:
    assert service.recommend("s1", 3).source == "personal"

    land(store, "s1", "i1", offset=0, kind="consent", payload='{"denied":["personalization"]}')
    served = service.recommend("s1", 3)

    assert served.source == "popular"
    assert "withdrew" in served.note


def test_a_popularity_model_never_claims_that_nothing_is_known(settings: Settings) -> None:
    publish(BundleStore(settings.paths.bundles))
    service = open_service(settings, watch=False)

    known, stranger = service.recommend("s1", 3), service.recommend("stranger", 3)
    service.close()

    assert (known.source, stranger.source) == ("popular", "popular")
    assert known.known_items > 0
    assert known.note == "what is popular and new to this person; no learned model serves: none has passed the gate yet"
    assert "nothing is known" in stranger.note


def test_a_fallback_says_in_the_gates_words_why_its_lists_are_popular(settings: Settings) -> None:
    publish(
        BundleStore(settings.paths.bundles),
        reasons=["the model's lists fall short of popular ones", "it stays popular"],
    )
    service = open_service(settings, watch=False)

    known = service.recommend("s1", 3)
    service.close()

    assert known.note.endswith("no learned model serves: the model's lists fall short of popular ones")


def test_a_new_bundle_is_served_from_the_next_list_on(service: Service, settings: Settings) -> None:
    before = service.recommend("s1", 3)
    version = publish(BundleStore(settings.paths.bundles), START + timedelta(hours=1))

    assert service.refresh()
    assert service.recommend("s1", 3).model_version == version != before.model_version
    assert service.similar("i1", 2) == ()
