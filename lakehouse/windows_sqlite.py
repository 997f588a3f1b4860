"""The embedded store of live windows: two tables in the online store's SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from feedback.errors import ServiceError
from lakehouse.windows import KEY, ROW_SCHEMA, TALLIES, Mark, Scope

BUSY_TIMEOUT_SECONDS = 30.0
_TALLIES_TYPE = pl.Struct(dict.fromkeys(TALLIES, pl.Int64))

_SCHEMA = """
CREATE TABLE IF NOT EXISTS windows (
    size_seconds INTEGER NOT NULL, start INTEGER NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL,
    log_partition INTEGER NOT NULL, final INTEGER NOT NULL, people BLOB NOT NULL, tallies TEXT NOT NULL,
    PRIMARY KEY (size_seconds, scope, start, key, log_partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS window_marks (
    log_partition INTEGER PRIMARY KEY, pane INTEGER NOT NULL, position INTEGER NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS wanted (size_seconds, start, scope, key, log_partition);
"""
_COLUMNS = ("size_seconds", "start", "scope", "key", "log_partition", "final", "people", "tallies")
_SELECT = f"SELECT {', '.join('w.' + name for name in _COLUMNS)} FROM windows w"
_WANTED = f"{_SELECT.replace('FROM windows w', 'FROM wanted CROSS JOIN windows w')} USING ({', '.join(KEY)})"
_ONE_SIZE = "size_seconds = ? AND scope IN ('item', 'section', 'all') AND log_partition = ?"


class SqliteWindowStore:
    """A `WindowStore` in one SQLite file; a row's tallies are JSON without zeros."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                str(path), timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ServiceError(f"online store {path} cannot be opened: {error}") from error

    def marks(self) -> dict[int, Mark]:
        """How far each partition is counted."""
        with self._lock:
            return self._marks()

    def get(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The rows of those keys that are there."""
        with self._lock, self._transaction():
            self._connection.execute("DELETE FROM wanted")
            self._connection.executemany("INSERT INTO wanted VALUES (?,?,?,?,?)", keys.select(KEY).rows())
            found = self._connection.execute(_WANTED).fetchall()
        return _frame(found)

    def put(self, rows: pl.DataFrame, marks: Mapping[int, Mark], *, expected: Mapping[int, int]) -> bool:
        """Overwrite rows and marks in one transaction, or nothing."""
        values = _rows(rows)
        with self._lock, self._transaction():
            held = self._marks()
            if any(held.get(partition, Mark()).pane != expected[partition] for partition in marks):
                return False
            self._connection.executemany("INSERT OR REPLACE INTO windows VALUES (?,?,?,?,?,?,?,?)", values)
            self._connection.executemany(
                "INSERT OR REPLACE INTO window_marks VALUES (?,?,?)",
                [(p, m.pane, m.position) for p, m in marks.items()],
            )
        return True

    def unfinished(self, partition: int, size_seconds: int, *, start: int, end: int) -> pl.DataFrame:
        """Rows of windows that start within a range and are not final."""
        query = f"{_SELECT} WHERE {_ONE_SIZE} AND start >= ? AND start < ? AND NOT final"
        with self._lock:
            return _frame(self._connection.execute(query, (size_seconds, partition, start, end)).fetchall())

    def forget(self, partition: int, size_seconds: int, *, before: int) -> int:
        """Drop the rows of windows that start before a time; returns how many."""
        query = f"DELETE FROM windows WHERE {_ONE_SIZE} AND start < ?"
        with self._lock:
            return self._connection.execute(query, (size_seconds, partition, before)).rowcount

    def newest(self, size_seconds: int, scope: Scope, *, key: str | None = None, windows: int) -> pl.DataFrame:
        """The rows of the newest windows of one length and scope, all partitions."""
        chosen = "size_seconds = ?1 AND scope = ?2 AND (?3 IS NULL OR key = ?3)"
        oldest = f"SELECT min(start) FROM (SELECT DISTINCT start FROM windows WHERE {chosen} ORDER BY 1 DESC LIMIT ?4)"
        query = f"{_SELECT} WHERE {chosen} AND start >= ({oldest})"
        with self._lock:
            return _frame(self._connection.execute(query, (size_seconds, scope, key, windows)).fetchall())

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()

    def _marks(self) -> dict[int, Mark]:
        query = "SELECT log_partition, pane, position FROM window_marks"
        return {partition: Mark(*rest) for partition, *rest in self._connection.execute(query)}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise ServiceError(f"online store {self._path} cannot be written: {error}") from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _rows(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    parts = [pl.when(pl.col(name) != 0).then(pl.format(f'"{name}":{{}}', pl.col(name))) for name in TALLIES]
    return (
        frame.sort("size_seconds", "scope", "start", "key")
        .select(
            *_COLUMNS[:-1],
            pl.concat_str(pl.lit("{"), pl.concat_str(parts, separator=",", ignore_nulls=True), pl.lit("}")),
        )
        .rows()
    )


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    schema = {name: ROW_SCHEMA.get(name, pl.String) for name in _COLUMNS}
    frame = pl.DataFrame(rows, schema=schema | {"final": pl.Int64}, orient="row")
    tallies = frame["tallies"].str.json_decode(_TALLIES_TYPE).struct.unnest()
    return (
        frame.drop("tallies")
        .hstack(tallies.fill_null(0))
        .with_columns(pl.col("final").cast(pl.Boolean))
        .select(*ROW_SCHEMA)
    )
