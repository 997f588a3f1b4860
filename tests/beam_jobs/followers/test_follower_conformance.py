"""The followers that landing has, and a small one that uses the defaults, under the suite of all followers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

import prometheus_client as prometheus
import pytest

from beam_jobs.followers.follower import Committed, Follower, follow_landed
from beam_jobs.followers.online_push import OnlinePush
from beam_jobs.followers.registry import FOLLOWERS
from beam_jobs.followers.windows.follower import CountWindows
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.landed.positions import Positions
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_rows import SCOPES, SIZES
from online.open import open_online_store, open_window_store
from online.windows import newest_windows
from tests.beam_jobs.followers.follower_conformance import FollowerConformance
from tests.beam_jobs.followers.windows import reference
from tests.beam_jobs.followers.windows.streams import KEEP_ALL, LATENESS, counted, shown

pytestmark = pytest.mark.beam


class TestOnlinePush(FollowerConformance):
    kind = OnlinePush

    def state(self, settings: Settings) -> Any:
        store = open_online_store(settings.online)
        try:
            return {person: store.recent(person) for person in self.people(settings)}
        finally:
            store.close()

    def people(self, settings: Settings) -> list[str]:
        return sorted(set(open_lake(settings).scan(FEEDBACK).select("subject").collect()["subject"]))

    def lose(self, settings: Settings) -> None:
        remove_online(settings)


class TestCountWindows(FollowerConformance):
    kind = CountWindows

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return override_settings(settings, windows_kept=KEEP_ALL)

    def state(self, settings: Settings) -> Any:
        store = open_window_store(settings.online)
        try:
            frames = [
                newest_windows(store, size, scope, windows=KEEP_ALL) for size in SIZES.values() for scope in SCOPES
            ]
        finally:
            store.close()
        return {window: row for frame in frames for window, row in shown(frame).items()}

    def lose(self, settings: Settings) -> None:
        remove_online(settings)

    def expected(self, settings: Settings) -> Any:
        rows = open_lake(settings).scan(FEEDBACK).collect().to_dicts()
        return counted(reference.windows(rows, lateness=LATENESS))


class Tally(Follower):
    """Counts events by kind in one JSON file."""

    name: ClassVar = "tally"
    columns: ClassVar = ("log_partition", "log_offset", "kind")
    events_together: ClassVar = 1_000
    failures: ClassVar = prometheus.Counter("test_tally_failures", "Times that the tally failed", registry=None)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = tally_file(settings)
        self._held = json.loads(self._file.read_text()) if self._file.exists() else {"positions": {}, "kinds": {}}

    @classmethod
    def open(cls, settings: Settings, *, since: Positions) -> Self:
        del since
        return cls(settings)

    def positions(self) -> dict[int, int]:
        return {int(partition): at for partition, at in self._held["positions"].items()}

    def catch_up(self) -> None:
        follow_landed(self, open_lake(self._settings), self._settings.log.name, self._settings.log.partitions)

    def follow(self, committed: Committed) -> None:
        known = self.positions()
        if any(known.get(partition, 0) < start for partition, start in committed.start.items()):
            return self.catch_up()
        for partition, offset, kind in committed.events.iter_rows():
            if offset >= known.get(partition, 0):
                self._held["kinds"][kind] = self._held["kinds"].get(kind, 0) + 1
        ahead = {str(p): max(end, known.get(p, 0)) for p, end in committed.end.items()}
        self._held["positions"].update(ahead)
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(self._held))
        return None

    def abandon(self) -> None:
        """Nothing is held."""


class TestTally(FollowerConformance):
    kind = Tally

    @pytest.fixture(autouse=True)
    def registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("beam_jobs.pipeline.FOLLOWERS", (*FOLLOWERS, Tally))

    def state(self, settings: Settings) -> Any:
        file = tally_file(settings)
        return json.loads(file.read_text())["kinds"] if file.exists() else {}

    def lose(self, settings: Settings) -> None:
        tally_file(settings).unlink(missing_ok=True)


def tally_file(settings: Settings) -> Path:
    return settings.paths.home / "tally.json"


def remove_online(settings: Settings) -> None:
    for part in settings.paths.home.glob("online.db*"):
        part.unlink()
