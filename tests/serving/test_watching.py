"""The watcher of published bundles: what it does about one that cannot be used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from feedback.settings.home import Settings
from feedback.subjects import Pseudonyms
from models.bundle.bundle import Bundle
from models.bundle.store import BundleStore
from online.open import open_online_store
from serving.service import LONGEST_WAIT_SECONDS, Service
from tests.models.test_learning_core import START, publish


class CountingStore(BundleStore):
    """Counts the loads; fails as often as it is told to with an error that nobody expects."""

    loads = 0
    odd_failures = 0

    def current_version(self) -> str | None:
        if self.odd_failures > 0:
            self.odd_failures -= 1
            raise ZeroDivisionError("a secret of the server")
        return super().current_version()

    def load(self, version: str | None = None) -> Bundle:
        self.loads += 1
        return super().load(version)


@pytest.fixture
def store(settings: Settings) -> CountingStore:
    return CountingStore(settings.paths.bundles)


@pytest.fixture
def service(settings: Settings, store: CountingStore) -> Iterator[Service]:
    opened = Service(store, open_online_store(settings.online), Pseudonyms(b"k" * 32))
    yield opened
    opened.close()


def damage(store: BundleStore, version: str) -> None:
    with (store.root / version / "popularity.npy").open("ab") as file:
        file.write(b"more")


def test_a_damaged_bundle_is_hashed_again_ever_more_seldom(service: Service, store: CountingStore) -> None:
    damage(store, publish(store))

    for quarter_seconds in range(4 * 600):
        assert not service.look(quarter_seconds / 4)

    assert 10 <= store.loads <= 8 + 600 / LONGEST_WAIT_SECONDS + 2
    assert service.load_error is not None
    assert "popularity.npy" in service.load_error


def test_another_bundle_is_taken_over_at_once_and_starts_the_waits_anew(service: Service, store: CountingStore) -> None:
    damage(store, publish(store))
    for second in range(100):
        service.look(second)
    good = publish(store, START + timedelta(hours=1))

    assert service.look(100.25)
    assert (service.bundle.version, service.load_error) == (good, None)

    damage(store, publish(store, START + timedelta(hours=2)))
    loads = store.loads
    for second in (101.0, 101.3, 101.9):
        service.look(second)
    assert store.loads == loads + 3


def test_going_back_to_the_bundle_in_use_ends_the_problem(service: Service, store: CountingStore) -> None:
    good = publish(store)
    service.refresh()
    damage(store, publish(store, START + timedelta(hours=1)))
    service.refresh()
    assert service.load_error is not None

    store.rollback(good)
    service.look(0)

    assert service.load_error is None


def test_a_repaired_bundle_is_taken_over_at_the_next_try(service: Service, store: CountingStore) -> None:
    version = publish(store)
    file = store.root / version / "popularity.npy"
    whole = file.read_bytes()
    damage(store, version)
    service.look(0)
    file.write_bytes(whole)

    assert service.look(LONGEST_WAIT_SECONDS)


def test_the_watcher_outlives_any_error_and_readiness_names_it_without_its_words(
    service: Service, store: CountingStore, caplog: pytest.LogCaptureFixture
) -> None:
    publish(store)
    store.odd_failures = 1

    assert not service.refresh()
    assert service.load_error is not None
    assert "ZeroDivisionError" in service.load_error
    assert "secret" not in service.load_error
    assert "a secret of the server" in caplog.text

    store.odd_failures = 3
    service.watch()
    deadline = time.monotonic() + 30
    while not service.swaps and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.swaps == 1
    assert service.watcher_problem() is None
    assert service.load_error is None
