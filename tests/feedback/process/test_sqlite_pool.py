from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from feedback.errors import LogError
from feedback.log.port import Memo, NewRecord
from feedback.log.sqlite import READERS, SqliteLog
from feedback.process.sqlite_pool import ConnectionPool
from tests.feedback.log.log_conformance import NOW


def in_threads(count: int, action: Callable[[], object]) -> None:
    """Run an action in threads that all live at once and then end."""
    together = threading.Barrier(count)

    def act() -> None:
        together.wait()
        action()

    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(act) for _ in range(count)]:
            future.result()


@pytest.fixture
def pool(tmp_path: Path) -> ConnectionPool:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "file.db", isolation_level=None, check_same_thread=False)

    return ConnectionPool(connect, size=2)


def test_threads_that_come_and_go_leave_no_open_files_behind(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    process = psutil.Process()

    def work() -> None:
        log.seen_ids([b"k" * 16])
        log.append([NewRecord(0, b"x", 1, (Memo(b"k" * 16),))], now=NOW)

    in_threads(8, work)
    before = process.num_fds()
    for _ in range(5):
        in_threads(8, work)

    assert process.num_fds() <= before + 2 * READERS  # a file and its write-ahead log for each connection
    log.close()
    assert not [file for file in process.open_files() if file.path.startswith(str(tmp_path))]


def test_no_more_connections_are_opened_than_the_pool_holds(pool: ConnectionPool) -> None:
    seen: set[int] = set()

    def work() -> None:
        with pool.taken() as connection:
            seen.add(id(connection))

    in_threads(8, work)

    assert 1 <= len(seen) <= 2


def test_a_connection_that_is_given_back_in_a_transaction_is_rolled_back(pool: ConnectionPool) -> None:
    with pool.taken() as connection:
        connection.execute("CREATE TABLE t (x)")
    with pool.taken() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (1)")

    with pool.taken() as connection:
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_connection_in_use_while_the_pool_is_closed_is_closed_afterwards(pool: ConnectionPool) -> None:
    with pool.taken() as connection:
        pool.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"), pool.taken():
        pass


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.close()

    with pytest.raises(LogError, match="is closed"):
        log.bounds()
    with pytest.raises(LogError, match="closed"):
        log.append([NewRecord(0, b"x", 1)], now=NOW)
