"""A home in which one name, written with letters and accents apart, was another person than the name written together.

Raw ids are hashed in Unicode's composed form now. Whoever has a pseudonym from before keeps history and consent.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from beam_jobs.landing import drain
from feedback.admitted import former_identity_key
from feedback.intake import Intake, open_intake
from feedback.log.open import open_log
from feedback.log.port import NewRecord, partition_of
from feedback.settings.home import Settings, ensure_home
from feedback.subjects import Pseudonyms, load_or_create_key
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from models.bundle.store import BundleStore
from online.open import open_online_store
from serving.service import Service, open_service
from tests.models.test_learning_core import publish_factors

pytestmark = pytest.mark.beam

ANDRE, ZOE = (unicodedata.normalize("NFD", name) for name in ("andré", "zoë"))
AT = datetime(2026, 3, 1, tzinfo=UTC)
RATING: dict[str, Any] = {
    "kind": "rating", "user_id": ANDRE, "item_id": "i0", "value": 5, "scale": [1, 5], "id": "r1", "source": "import",
}  # fmt: skip


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


@pytest.fixture
def pseudonyms(settings: Settings) -> Pseudonyms:
    ensure_home(settings)
    return Pseudonyms(load_or_create_key(settings.paths.subject_key_file))


def former(pseudonyms: Pseudonyms, name: str) -> str:
    subject = pseudonyms.former_subject_of(name)
    assert subject is not None
    return subject


@pytest.fixture
def home(settings: Settings, pseudonyms: Pseudonyms) -> Settings:
    """A home as the release before left it: André rated an item, Zoë withdrew her consent, a model knows André."""
    andre, zoe = former(pseudonyms, ANDRE), former(pseudonyms, ZOE)
    at = int(AT.timestamp() * 1_000_000)
    common = {"v": 1, "occurred_at": at, "received_at": at, "source": "import"}
    rating = {
        "id": "r1",
        "kind": "rating",
        "subject": andre,
        "item_id": "i0",
        "value": 5,
        "scale_min": 1,
        "scale_max": 5,
    }
    denial = {"id": "c1", "kind": "consent", "subject": zoe, "payload": '{"denied":["personalization"]}'}
    log = open_log(settings.log)
    for event in (rating, denial):
        line = msgspec.json.encode({**common, **event})
        log.append([NewRecord(partition_of(str(event["subject"]), log.partitions), line, 1)], now=datetime.now(UTC))
    log.close()
    with sqlite3.connect(settings.paths.home / "feedback-log.db") as file:
        keys = [(former_identity_key(andre, "r1"),), (former_identity_key(zoe, "c1"),)]
        file.executemany("INSERT INTO identities (key, day) VALUES (?, 99999)", keys)
    file.close()
    drain(settings)
    publish_factors(BundleStore(settings.paths.bundles), people=(andre, zoe, "s2", "s3"))
    return settings


@pytest.fixture
def intake(home: Settings) -> Iterator[Intake]:
    opened = open_intake(home)
    yield opened
    opened.log.close()


@pytest.fixture
def service(home: Settings) -> Iterator[Service]:
    opened = open_service(home, watch=False)
    yield opened
    opened.close()


def test_the_list_and_the_consent_of_before_hold_from_the_first_request(service: Service) -> None:
    andre, zoe = (service.recommend(service.subject_of(name), 3) for name in (ANDRE, ZOE))

    assert andre.source == "personal"
    assert andre.known_items > 0
    assert (zoe.source, zoe.known_items) == ("popular", 0)
    assert service.recommend(service.subject_of("stranger"), 3).known_items == 0


def test_the_first_event_links_the_two_pseudonyms_for_every_spelling(
    home: Settings, intake: Intake, service: Service
) -> None:
    known = service.recommend(service.subject_of(ANDRE), 3).known_items
    for name in (ANDRE, ZOE):
        intake.submit([{"kind": "rating", "user_id": name, "item_id": "new", "value": 5, "scale": [1, 5]}])
    drain(home)

    store = open_online_store(home.online)
    andre, zoe = (service.subject_of(composed(name)) for name in (ANDRE, ZOE))
    assert [event.item_id for event in store.recent(andre)] == ["i0", "new"]
    assert not store.personal(zoe)
    store.close()
    assert service.recommend(service.subject_of(ANDRE), 3).known_items == known + 1


def test_a_file_of_before_can_be_sent_again(home: Settings, intake: Intake) -> None:
    (again,) = intake.submit([RATING])
    (composed_name,) = intake.submit([{**RATING, "user_id": composed(ANDRE), "id": "r2"}])
    drain(home)

    assert (again.verdict, composed_name.verdict) == ("duplicate", "accepted")
    landed = open_lake(home).scan(FEEDBACK).filter(kind="rating").collect()
    assert sorted(landed["id"]) == ["r1", "r2"]
    report = audit(open_lake(home), intake.log.name, bounds=intake.log.bounds())
    assert report.holds, report.faults
