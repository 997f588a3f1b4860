"""Bundles, pointer and registry on disk: what serves, what holds, and who the champion is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import models.bundle.store
from feedback.errors import NoModel, RollbackHolds
from feedback.settings.home import Settings
from models.bundle.bundle import Manifest, Provenance
from models.bundle.store import BundleStore
from models.preferences import build_interactions
from models.recommenders.popularity import Popularity
from models.tracking.champion import align_champion
from models.tracking.runs import CHAMPION, REGISTERED_MODEL, FitRecord, Tracking
from tests.models.frames import events_of, rating, training

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
INTERACTIONS = build_interactions(events_of([rating(f"s{n % 3}", f"i{n % 4}", 4.0) for n in range(12)]).lazy())


def publish(store: BundleStore, *, hour: int, model_version: str | None = None) -> str:
    model = Popularity().fit(training(INTERACTIONS))
    at = NOON + timedelta(hours=hour)
    manifest = store.publish(
        model, name="popularity", parameters={}, interactions=INTERACTIONS, items=pl.DataFrame({"item_id": ["i0"]}),
        provenance=Provenance(created_at=at, metrics={}, mlflow_model_version=model_version),
    )  # fmt: skip
    return manifest.version


def test_each_rollback_goes_one_back_whatever_was_served_in_between(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    first, second, third, _ = (publish(store, hour=hour) for hour in range(4))

    assert [store.rollback(), store.rollback()] == [third, second]
    assert store.rollback(third) == third
    assert [store.rollback(), store.rollback()] == [second, first]
    with pytest.raises(NoModel, match="no earlier bundle"):
        store.rollback()


def test_a_rollback_holds_against_publishing_until_it_is_released(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    first, second = publish(store, hour=0), publish(store, hour=1)
    store.rollback(at=NOON)

    with pytest.raises(RollbackHolds, match=f"a rollback from {second} holds since 2026-03-01 12:00 UTC"):
        publish(store, hour=2)

    assert (store.current_version(), store.versions()) == (first, [first, second])
    released = store.release()
    assert released is not None
    assert store.release() is None
    assert publish(store, hour=2) == store.current_version()


def test_a_rollback_while_a_bundle_is_being_written_holds_against_that_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BundleStore(tmp_path)
    first, second = publish(store, hour=0), publish(store, hour=1)
    write = models.bundle.store.write_bundle

    def rolled_back_meanwhile(*arguments: object, **named: object) -> Manifest:
        store.rollback()
        return write(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(models.bundle.store, "write_bundle", rolled_back_meanwhile)
    with pytest.raises(RollbackHolds):
        publish(store, hour=2)

    assert (store.current_version(), store.versions()) == (first, [first, second])


def test_without_a_registry_none_is_made(settings: Settings) -> None:
    publish(BundleStore(settings.paths.bundles), hour=0, model_version="1")

    champion = align_champion(settings.mlflow, settings.paths)

    assert (champion.version, champion.problem) == (None, None)
    assert not (settings.paths.home / "mlflow.db").exists()


def test_the_champion_is_what_serves_whoever_moved_the_pointer(tracked: Settings) -> None:
    tracking, store = Tracking(tracked.mlflow, tracked.paths), BundleStore(tracked.paths.bundles)
    client = tracking._client()
    run = tracking.record(FitRecord("signed_als", {}, {}, {}, seed=1))
    client.create_registered_model(REGISTERED_MODEL)
    one, two = (
        str(client.create_model_version(REGISTERED_MODEL, source=f"runs:/{run}/{number}").version) for number in "12"
    )

    def champion() -> str | None:
        aligned = align_champion(tracked.mlflow, tracked.paths)
        assert aligned.problem is None
        holder = tracking.holder(CHAMPION)
        assert aligned.version == (None if holder is None else holder.version)
        return aligned.version

    publish(store, hour=0, model_version=one)
    stopgap = publish(store, hour=1)
    publish(store, hour=2, model_version=two)  # and no word to the registry, as after a crash
    assert champion() == two
    assert store.rollback() == stopgap
    assert champion() is None
    store.rollback()
    assert champion() == one
    client.delete_model_version(REGISTERED_MODEL, one)
    assert champion() is None


def test_a_registry_that_does_not_answer_is_named_and_stops_nothing(settings: Settings) -> None:
    publish(BundleStore(settings.paths.bundles), hour=0, model_version="1")
    (settings.paths.home / "mlflow.db").write_bytes(b"this is no database" * 100)

    champion = align_champion(settings.mlflow, settings.paths)

    assert champion.problem is not None
    assert "not a database" in champion.problem
