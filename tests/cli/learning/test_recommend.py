"""`heed recommend` in a narrow terminal: why a list is what it is stands there in full."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from cli.learning.recommend import recommend
from feedback.settings.home import Settings
from feedback.subjects import Pseudonyms, load_or_create_key
from models.bundle.store import BundleStore
from tests.models.frames import ratings
from tests.models.test_learning_core import publish


def test_why_a_known_persons_list_is_popular_is_never_cut(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = Pseudonyms(load_or_create_key(settings.paths.subject_key_file)).subject_of("anna", "user")
    reason = "the model's lists fall short of popular ones, " * 6 + "and that is all"
    publish(
        BundleStore(settings.paths.bundles), reasons=[reason], interactions=ratings([(anna, "i1", 5), ("ben", "i2", 4)])
    )
    monkeypatch.setenv("COLUMNS", "80")

    done = CliRunner().invoke(recommend, ["anna", "--home", settings.home])
    as_json = CliRunner().invoke(recommend, ["anna", "--home", settings.home, "--json"])

    assert done.exit_code == 0, done.output
    note = f"what is popular and new to this person; no learned model serves: {reason}"
    assert f"anna: {note}" in " ".join(done.output.split())
    assert msgspec.json.decode(as_json.output)["note"] == note
