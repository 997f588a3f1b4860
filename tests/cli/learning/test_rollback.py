"""`heed rollback` as people and programs see it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from cli.learning.rollback import rollback
from feedback.errors import UsageError
from feedback.settings.home import Settings
from models.bundle.store import BundleStore
from tests.models.test_learning_core import START, publish

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own


def told(settings: Settings, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(rollback, [*arguments, "--home", settings.home, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_a_rollback_says_what_serves_and_that_it_holds_and_a_release_that_it_does_not(settings: Settings) -> None:
    store = BundleStore(settings.paths.bundles)
    first, second = publish(store), publish(store, START + timedelta(hours=1))

    back = told(settings)
    held = store.hold()
    released = told(settings, "--release")

    nobody = {"champion": None, "registry_problem": None}
    assert back == {"from": second, "to": first, "versions": [first, second], "held": True, **nobody}
    assert held is not None
    assert held.instead_of == second
    assert released == {"from": first, "to": first, "versions": [first, second], "held": False, **nobody}
    assert store.hold() is None


def test_people_are_told_how_a_rollback_ends(settings: Settings) -> None:
    store = BundleStore(settings.paths.bundles)
    publish(store)
    publish(store, START + timedelta(hours=1))

    back = CliRunner().invoke(rollback, ["--home", settings.home])
    released = CliRunner().invoke(rollback, ["--release", "--home", settings.home])
    again = CliRunner().invoke(rollback, ["--release", "--home", settings.home])

    assert "runs publish nothing until `heed rollback --release`" in back.output
    assert "the next run may publish" in released.output
    assert "no rollback holds" in again.output


def test_a_release_takes_no_version(settings: Settings) -> None:
    with pytest.raises(UsageError, match="takes no version"):
        CliRunner().invoke(rollback, ["v1", "--release", "--home", settings.home], catch_exceptions=False)


def test_a_registry_that_cannot_be_told_is_a_warning(settings: Settings) -> None:
    store = BundleStore(settings.paths.bundles)
    publish(store)
    publish(store, START + timedelta(hours=1))
    (settings.paths.home / "mlflow.db").write_bytes(b"this is no database" * 100)

    done = CliRunner().invoke(rollback, ["--home", settings.home, "--json"])

    assert done.exit_code == 0
    assert "the next run or rollback tells it" in done.stderr
    assert json.loads(done.stdout)["registry_problem"]
