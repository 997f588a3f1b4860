"""Homes that an earlier release left behind open under this one: nothing is lost, doubled or forgotten.

`homes/` holds one home whose log is SQLite and one whose log is Kafka, with the broker's data. `make_home` wrote them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from feedback.errors import JavaMissing
from feedback.settings.source import ROOT
from tests.support.kafka_server import KafkaMissing, broker

HOMES = Path(__file__).parent / "homes"
RATINGS_MAP = "user_id=user_id,item_id=item_id,value=value,occurred_at=occurred_at"
FILES: dict[str, tuple[str, ...]] = {
    "ratings.csv": ("--kind", "rating", "--scale", "1,5", "--map", RATINGS_MAP),
    "items.csv": ("--kind", "item"),
    "events.jsonl": (),
}

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.beam]


class OldHome(NamedTuple):
    """A home as it was left, the files that were sent to it, and what it answered then."""

    home: Path
    files: Path
    answers: dict[str, Any]
    environment: dict[str, str]

    def heed(self, *arguments: str) -> list[dict[str, Any]]:
        """The JSON lines of one command on the home, which must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command on the home."""
        command = [sys.executable, "-m", "cli", *arguments, "--home", str(self.home), "--json"]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=600, env={**os.environ, **self.environment}
        )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", marks=pytest.mark.xdist_group("upgrade-sqlite")),
        pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("upgrade-kafka")]),
    ],
)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldHome]:
    folder = tmp_path_factory.mktemp(request.param)
    with tarfile.open(HOMES / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    answers = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    (folder / "home").chmod(0o700)
    move_mlflow(folder / "home", made_at=answers["made_at"])
    # the homes grow older than the window in which repeats are known
    environment = {"HEED_DEDUP_WINDOW_DAYS": "36500", "HEED_SPARK_MEMORY": "1g"}
    if request.param == "sqlite":
        yield OldHome(folder / "home", folder / "files", answers, environment)
        return
    try:
        with broker(folder / "broker") as node:
            address = f"kafka://{node.address}/feedback"
            yield OldHome(folder / "home", folder / "files", answers, {**environment, "HEED_LOG_URL": address})
    except (JavaMissing, KafkaMissing) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Kafka broker here: {error}")


def move_mlflow(home: Path, *, made_at: str) -> None:
    """MLflow notes where its artifacts lie; the home has moved since."""
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
            ("logged_models", "artifact_location"),
        ):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (made_at, str(home)))


class TestOldHome:
    """In this order: each step works on what the one before left."""

    def test_the_published_model_serves_the_list_that_it_served_then(self, old: OldHome) -> None:
        (then,) = old.answers["list"]

        (now,) = old.heed("recommend", "u1")

        assert now["items"] == then["items"]

    def test_a_withdrawn_consent_still_holds(self, old: OldHome) -> None:
        (now,) = old.heed("recommend", "u3")

        assert now["source"] == "popular"
        assert now["known_items"] == 0

    def test_files_that_were_sent_before_can_be_sent_again_without_doubles(self, old: OldHome) -> None:
        (then,) = old.answers["audit"]
        for name, options in FILES.items():
            old.run("ingest", str(old.files / name), *options)

        old.heed("land", "--drain")
        (audit,) = old.heed("audit")

        assert audit["holds"]
        assert audit["landed"] == then["landed"]

    def test_the_loop_runs_and_judges(self, old: OldHome) -> None:
        summary = next(line for line in old.heed("run") if "steps" in line)

        assert summary["failures"] == []
        assert summary["published_version"] or summary["gate"]["action"] == "keep"

    def test_rollback_goes_back_to_the_model_before(self, old: OldHome) -> None:
        (first,) = (line["published_version"] for line in old.answers["first_run"] if "published_version" in line)

        (told,) = old.heed("rollback", first)
        (listed,) = old.heed("recommend", "u1")

        assert told["to"] == first
        assert listed["model_version"] == first
