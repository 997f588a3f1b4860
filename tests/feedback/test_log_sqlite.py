from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedback.errors import LogError
from feedback.log import FeedbackLog
from feedback.log_sqlite import SqliteLog
from tests.feedback.log_conformance import LogConformance

_APPEND = """
import sys
from datetime import UTC, datetime
from feedback.log import NewRecord
from feedback.log_sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
for number in range(50):
    log.append([NewRecord(0, b"x", 1)], now=datetime.now(UTC))
"""


class TestSqliteLog(LogConformance):
    def open(self, folder: Path) -> FeedbackLog:
        return SqliteLog(folder / "log.db", partitions=4)

    def test_processes_that_append_at_once_get_each_offset_once(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        command = [sys.executable, "-c", _APPEND, str(tmp_path / "log.db")]
        processes = [subprocess.Popen(command) for _ in range(3)]

        assert [process.wait() for process in processes] == [0, 0, 0]
        assert [r.offset for r in log.read(0, 0, max_events=1000)] == list(range(150))

    def test_the_number_of_partitions_is_fixed_when_the_file_is_made(self, tmp_path: Path) -> None:
        self.open(tmp_path).close()

        assert SqliteLog(tmp_path / "log.db", partitions=9).partitions == 4

    def test_a_file_that_is_no_database_is_refused_in_words(self, tmp_path: Path) -> None:
        (tmp_path / "log.db").write_bytes(b"not a database" * 100)

        with pytest.raises(LogError, match=r"log\.db cannot be opened"):
            self.open(tmp_path)
