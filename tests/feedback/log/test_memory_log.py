"""The log of the state-machine test keeps the promises that landing relies on."""

from __future__ import annotations

from pathlib import Path

from feedback.log.port import FeedbackLog
from tests.feedback.log.log_conformance import LEASE_SECONDS, LogConformance
from tests.feedback.log.memory_log import MemoryLog, Storage


class TestMemoryLog(LogConformance):
    storages: dict[Path, Storage]

    def setup_method(self) -> None:
        self.storages = {}

    def open(self, folder: Path) -> FeedbackLog:
        return MemoryLog(self.storages.setdefault(folder, Storage()), lease_seconds=LEASE_SECONDS)

    def destroy(self, folder: Path) -> None:
        del self.storages[folder]
