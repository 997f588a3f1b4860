"""The watcher: a reader that polls the tables during the run and checks what it sees."""

from __future__ import annotations

import threading

from bench.killing.places import PlaceReader, Snapshot, violations
from feedback.errors import LakeError
from feedback.settings.home import Settings
from lakehouse.lake import open_lake

LOOK_SECONDS = 0.25
EXAMPLES = 20


class Watcher:
    """A thread that takes snapshots and keeps what it should not have seen."""

    def __init__(self, settings: Settings, *, partitions: int) -> None:
        self._reader = PlaceReader(open_lake(settings), settings.log.name, partitions)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._last: Snapshot | None = None
        self.looks = 0
        self.violations: list[str] = []
        self.error: BaseException | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def positions(self) -> dict[int, int]:
        """The positions of the last look."""
        return self._last.positions if self._last is not None else {}

    def look(self) -> None:
        """Compare one snapshot with what must hold."""
        now = self._reader.snapshot()
        if now is None or (self._last is not None and now.version == self._last.version):
            return
        self.violations.extend(violations(now, self._last)[: EXAMPLES - len(self.violations)])
        self._last = now
        self.looks += 1

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except (LakeError, OSError):  # a table that is being made, a disk that is full: no reader sees anything
                continue
            except BaseException as error:
                self.error = error
                return
