from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from feedback.errors import LogError
from feedback.log.port import FeedbackLog, Memo, NewRecord
from feedback.log.sqlite import SqliteLog
from tests.feedback.log.log_conformance import LEASE_SECONDS, NOW, SharedLogConformance

_APPEND = """
import sys
from datetime import UTC, datetime
from feedback.log.port import NewRecord
from feedback.log.sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
for number in range(50):
    log.append([NewRecord(0, b"x", 1)], now=datetime.now(UTC))
"""

_SCHEMA_OF_0_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE heads (partition INTEGER PRIMARY KEY, first INTEGER NOT NULL, next INTEGER NOT NULL);
CREATE TABLE records (
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, appended_at_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, value BLOB NOT NULL, UNIQUE (partition, offset)
);
CREATE TABLE identities (key BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('partitions', '2');
INSERT INTO heads VALUES (0, 0, 1), (1, 0, 0);
INSERT INTO records VALUES (0, 0, 17, 1, 'old');
"""


class TestSqliteLog(SharedLogConformance):
    def open(self, folder: Path) -> FeedbackLog:
        return SqliteLog(folder / "log.db", partitions=4, lease_seconds=LEASE_SECONDS)

    def address(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'log.db'}"

    def destroy(self, folder: Path) -> None:
        for file in folder.glob("log.db*"):
            file.unlink()

    def test_processes_that_append_at_once_get_each_offset_once(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        command = [sys.executable, "-c", _APPEND, str(tmp_path / "log.db")]
        processes = [subprocess.Popen(command) for _ in range(3)]

        assert [process.wait() for process in processes] == [0, 0, 0]
        assert [r.offset for r in log.read(0, 0, max_events=1000)] == list(range(150))

    def test_identities_are_recalled_after_opening_again(self, tmp_path: Path) -> None:
        first = self.open(tmp_path)
        first.append([NewRecord(0, b"kept", 1, (Memo(b"k" * 16, 7),))], now=NOW)
        first.close()

        assert self.open(tmp_path).seen_ids([b"k" * 16, b"z" * 16]) == {b"k" * 16: 7}

    def test_the_number_of_partitions_is_fixed_when_the_file_is_made(self, tmp_path: Path) -> None:
        self.open(tmp_path).close()

        assert SqliteLog(tmp_path / "log.db", partitions=9).partitions == 4

    def test_a_file_that_is_no_database_is_refused_in_words(self, tmp_path: Path) -> None:
        (tmp_path / "log.db").write_bytes(b"not a database" * 100)

        with pytest.raises(LogError, match=r"log\.db cannot be opened"):
            self.open(tmp_path)

    def test_a_file_of_an_older_version_is_widened(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "log.db") as connection:
            connection.executescript(_SCHEMA_OF_0_1)
        connection.close()

        log = self.open(tmp_path)
        log.append([NewRecord(0, b"new", 1, headers=(("a", b"b"),))], now=NOW)

        old, new = log.read(0, 0, max_events=9)
        assert (old.headers, new.headers) == ((), (("a", b"b"),))
        assert log.incarnation == self.open(tmp_path).incarnation
        assert log.join("any").partitions() == {0, 1}
