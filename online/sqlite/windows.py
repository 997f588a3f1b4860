"""The embedded store of live windows: panes as column files in the online store's SQLite file.

One put adds, for every window it touches, one blob with the rows that changed: a few dozen rows of SQLite where a row
per key would be a hundred thousand. Readers take the newest of each key. A window's panes are joined when there are
many, and when it closes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from lakehouse.window_rows import KEY, ROW_SCHEMA, TALLIES, Mark, WindowScope
from online.sqlite.file import connect, reading, transaction

MAX_PANES = 8
"""Panes of one window in one partition; the next one is joined with them."""

_SCHEMA = """
DROP TABLE IF EXISTS windows;
DROP TABLE IF EXISTS window_marks;
CREATE TABLE IF NOT EXISTS panes (
    size_seconds INTEGER NOT NULL, scope TEXT NOT NULL, start INTEGER NOT NULL, log_partition INTEGER NOT NULL,
    pane INTEGER NOT NULL, rows BLOB NOT NULL, PRIMARY KEY (size_seconds, scope, start, log_partition, pane)
);
CREATE TABLE IF NOT EXISTS pane_marks (
    log_partition INTEGER PRIMARY KEY, pane INTEGER NOT NULL, position INTEGER NOT NULL
);
"""
_WINDOW = ("size_seconds", "scope", "start", "log_partition")
"""The columns that identify a window of one partition; the rest of a row's key is in its blob."""
_ONE_WINDOW = " AND ".join(f"{name} = ?" for name in _WINDOW)
_ONE_SIZE = "size_seconds = ? AND scope IN ('item', 'section', 'all') AND log_partition = ?"
_SELECT = f"SELECT {', '.join(_WINDOW)}, rows FROM panes"

_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")

Window = tuple[int, WindowScope, int, int]


class SqliteWindowStore:
    """A `WindowStore` in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._connection = connect(self._path, _SCHEMA)

    def marks(self) -> dict[int, Mark]:
        """How far each partition is counted."""
        with self._lock, reading(self._path):
            return self._marks()

    def get(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The rows of those keys that are there."""
        with self._lock, transaction(self._connection, self._path):
            found = [pane for window in keys.select(_WINDOW).unique().iter_rows() for pane in self._panes(window)]
        return _latest(found).join(keys, on=KEY, how="semi")

    def put(self, rows: pl.DataFrame, marks: Mapping[int, Mark], *, expected: Mapping[int, int]) -> bool:
        """Overwrite rows and marks in one transaction, or nothing."""
        parts = _by_window(rows)
        with self._lock, transaction(self._connection, self._path):
            held = self._marks()
            if any(held.get(partition, Mark()).pane != expected[partition] for partition in marks):
                return False
            for window, mine in parts:
                self._put(window, mine, marks[window[-1]].pane)
            self._connection.executemany(
                "INSERT OR REPLACE INTO pane_marks VALUES (?,?,?)",
                [(p, m.pane, m.position) for p, m in marks.items()],
            )
        return True

    def unfinished(self, partition: int, size_seconds: int, *, start: int, end: int) -> pl.DataFrame:
        """Rows of windows that start within a range and are not final."""
        query = f"{_SELECT} WHERE {_ONE_SIZE} AND start >= ? AND start < ? ORDER BY pane"
        return self._select(query, (size_seconds, partition, start, end)).filter(~pl.col("final"))

    def starts(self, partition: int, size_seconds: int, *, start: int, end: int) -> list[int]:
        """When windows start that are there, within a range."""
        query = f"SELECT DISTINCT start FROM panes WHERE {_ONE_SIZE} AND start >= ? AND start < ? ORDER BY start"
        with self._lock, reading(self._path):
            return [found for (found,) in self._connection.execute(query, (size_seconds, partition, start, end))]

    def forget(self, partition: int, size_seconds: int, *, before: int) -> None:
        """Drop the rows of windows that start before a time."""
        query = f"DELETE FROM panes WHERE {_ONE_SIZE} AND start < ?"
        with self._lock, transaction(self._connection, self._path):
            self._connection.execute(query, (size_seconds, partition, before))

    def newest(self, size_seconds: int, scope: WindowScope, *, key: str | None = None, windows: int) -> pl.DataFrame:
        """The rows of the newest windows of one length and scope, all partitions."""
        chosen = "size_seconds = ?1 AND scope = ?2"
        if key is None:
            oldest = f"SELECT min(start) FROM (SELECT DISTINCT start FROM panes WHERE {chosen} ORDER BY 1 DESC LIMIT ?)"
            query = f"{_SELECT} WHERE {chosen} AND start >= ({oldest}) ORDER BY pane"
            return self._select(query, (size_seconds, scope, windows))
        found = self._select(f"{_SELECT} WHERE {chosen} ORDER BY pane", (size_seconds, scope), key=key)
        return found.filter(pl.col("start").rank("dense", descending=True) <= windows)

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._connection.close()

    def _put(self, window: Window, rows: pa.Table, pane: int) -> None:
        """Add one window's pane; in place of those before it where they are many or this is the last."""
        before = self._connection.execute(f"SELECT count(*) FROM panes WHERE {_ONE_WINDOW}", window).fetchone()[0]
        if before and (before >= MAX_PANES or pc.any(rows["final"]).as_py()):
            ((_, rows),) = _by_window(_latest([*self._panes(window), _frame(rows, window)]))
            self._connection.execute(f"DELETE FROM panes WHERE {_ONE_WINDOW}", window)
        self._connection.execute("INSERT INTO panes VALUES (?,?,?,?,?,?)", (*window, pane, _packed(rows)))

    def _panes(self, window: Sequence[Any]) -> Iterable[pl.DataFrame]:
        return _frames(self._connection.execute(f"{_SELECT} WHERE {_ONE_WINDOW} ORDER BY pane", window))

    def _select(self, query: str, given: tuple[object, ...], *, key: str | None = None) -> pl.DataFrame:
        with self._lock, reading(self._path):
            return _latest(_frames(self._connection.execute(query, given), key=key))

    def _marks(self) -> dict[int, Mark]:
        query = "SELECT log_partition, pane, position FROM pane_marks"
        return {partition: Mark(*rest) for partition, *rest in self._connection.execute(query)}


def _by_window(rows: pl.DataFrame) -> list[tuple[Window, pa.Table]]:
    """The rows of each window, without what names the window and without tallies that are zero throughout."""
    ordered = rows.sort(_WINDOW)
    used = [name for name in TALLIES if (ordered[name] != 0).any()]
    table = ordered.select("key", "final", "people", *used).to_arrow(compat_level=pl.CompatLevel.oldest())
    runs = ordered.select(pl.struct(_WINDOW).rle().alias("run")).unnest("run").unnest("value")
    found, at = [], 0
    for length, *window in runs.iter_rows():
        found.append((tuple(window), table.slice(at, length)))
        at += length
    return found


def _packed(rows: pa.Table) -> bytes:
    """Rows as an Arrow file."""
    file = BytesIO()
    with pa.ipc.new_file(file, rows.schema, options=_PACKING) as writer:
        writer.write_table(rows)
    return file.getvalue()


def _frames(panes: Iterable[tuple[Any, ...]], *, key: str | None = None) -> list[pl.DataFrame]:
    """Rows of panes as they were read, oldest pane first."""
    found = []
    for *window, blob in panes:
        rows = pa.ipc.open_file(blob).read_all()
        found.append(_frame(rows if key is None else rows.filter(pc.field("key") == key), window))
    return found


def _frame(rows: pa.Table, window: Sequence[Any]) -> pl.DataFrame:
    """The same rows in `ROW_SCHEMA`."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    named = [pl.lit(value).alias(name) for name, value in zip(_WINDOW, window, strict=True)]
    absent = [pl.lit(0).alias(name) for name in TALLIES if name not in frame.columns]
    return frame.with_columns(named + absent).select(pl.col(name).cast(dtype) for name, dtype in ROW_SCHEMA.items())


def _latest(panes: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Of each key the row of the last pane that has it."""
    return pl.concat([pl.DataFrame(schema=ROW_SCHEMA), *panes]).unique(KEY, keep="last", maintain_order=False)
