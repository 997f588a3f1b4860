"""Lists of people who are linked with a visit: one history, whether the bundle was made before the link or after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feedback.settings.home import Settings
from models.bundle.store import BundleStore
from online.open import open_online_store
from online.port import OnlineStore
from serving.service import Service, open_service
from tests.models.test_learning_core import publish_factors
from tests.serving.test_service import items, land

LINK = '{"anonymous_subject":"s2"}'


@pytest.fixture
def store(settings: Settings) -> Iterator[OnlineStore]:
    opened = open_online_store(settings.online)
    yield opened
    opened.close()


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    publish_factors(BundleStore(settings.paths.bundles))
    opened = open_service(settings, watch=False)
    yield opened
    opened.close()


def test_a_link_brings_what_the_bundle_knows_of_the_visit(service: Service, store: OnlineStore) -> None:
    visit = service.recommend("s2", 3)
    before = service.recommend("newcomer", 3)

    land(store, "newcomer", "", offset=0, kind="identify", value=None, payload=LINK)
    linked = service.recommend("newcomer", 3)

    assert before.known_items == 0
    assert linked.known_items == visit.known_items > 0
    assert items(linked) == items(service.recommend("s2", 3)) == items(visit)


def test_two_known_subjects_become_one(service: Service, store: OnlineStore) -> None:
    own = {item for item, _ in service.bundle.history_of("s1").preferences.items()}
    visits = {item for item, _ in service.bundle.history_of("s2").preferences.items()}

    land(store, "s1", "", offset=0, kind="identify", value=None, payload=LINK)
    linked = service.recommend("s1", 3)

    assert linked.known_items == len(own | visits)
    assert not (own | visits) & set(items(linked))


def test_a_list_for_an_id_that_too_many_claim_says_why_it_is_not_personal(
    service: Service, store: OnlineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("online.store.MAX_LINKED", 1)
    land(store, "s1", "", offset=0, kind="identify", value=None, payload=LINK)
    assert service.recommend("s2", 3).source == "personal"

    land(store, "s3", "", offset=1, kind="identify", value=None, payload=LINK)

    assert service.recommend("s2", 3).note == "too many people are linked with this id to be one: what is popular"
    assert service.recommend("s2", 3).source == "popular"
    assert service.recommend("s1", 3).source == "personal"


def test_a_withdrawal_of_the_visit_holds_for_the_person(service: Service, store: OnlineStore) -> None:
    land(store, "s2", "", offset=0, kind="consent", value=None, payload='{"denied":["personalization"]}')
    assert service.recommend("s1", 3).source == "personal"

    land(store, "s1", "", offset=1, kind="identify", value=None, payload=LINK)

    assert service.recommend("s1", 3).source == "popular"
