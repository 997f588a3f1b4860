"""The embedded feedback log: one SQLite file in WAL mode, durable on every commit.

Appends from many threads share one transaction and one fsync (group commit): the thread that gets the commit lock
writes for all that wait. Several processes may append and read at once, and share the partitions by leases.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from feedback.errors import LogError, LogGap
from feedback.log import sqlite_memory
from feedback.log.leases import SCHEMA as LEASES_SCHEMA
from feedback.log.leases import LeasedAssignment, Monotonic
from feedback.log.port import UNLIMITED_BYTES, Headers, NewRecord, PartitionAssignment
from feedback.log.records import Records
from feedback.log.sqlite_trim import SteppedTrim
from feedback.process.sqlite_pool import ConnectionPool

BUSY_TIMEOUT_SECONDS = 30.0
DAY_MS = 86_400_000
READERS = 4
"""Connections that read at once; more calls wait."""
CACHE_KIB = 8_192
"""Page cache of a connection; other pages come from the system's cache."""
READ_ROWS = 256
READ_BYTES = 1 << 20
"""What is fetched at once: so many rows, or about so many bytes."""
MMAP_BYTES = 1 << 30
"""Readers look at pages in place; a log that is larger is read as usual beyond it."""

_READ = """
SELECT partition, offset, appended_at_ms, count, value, headers FROM records
WHERE partition = ? AND offset >= ? ORDER BY offset"""

_BOUNDS = "SELECT partition, first, next FROM heads"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (partition INTEGER PRIMARY KEY, first INTEGER NOT NULL, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, appended_at_ms INTEGER NOT NULL,
    count INTEGER NOT NULL, value BLOB NOT NULL, headers TEXT, PRIMARY KEY (partition, offset)
) WITHOUT ROWID;
"""


@dataclass(slots=True)
class _Append:
    records: Sequence[NewRecord]
    now_ms: int
    offsets: list[int] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class SqliteLog:
    """A `FeedbackLog` in one SQLite file."""

    def __init__(
        self,
        path: str | Path,
        *,
        name: str = "feedback",
        partitions: int = 4,
        lease_seconds: float = 6.0,
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._path = str(path)
        self._name = name
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._readers = ConnectionPool(self._connect, size=READERS)
        self._writers = ConnectionPool(self._connect, size=1)
        self._queue: list[_Append] = []
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._closed = False
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._partitions, self._incarnation = self._prepare(partitions)
        except (OSError, sqlite3.Error) as error:
            raise LogError(f"feedback log {self._path} cannot be opened: {error}") from error

    @property
    def name(self) -> str:
        """The log's name."""
        return self._name

    @property
    def partitions(self) -> int:
        """How many partitions there are; fixed when the file is made."""
        return self._partitions

    @property
    def incarnation(self) -> int:
        """Drawn when the file is made."""
        return self._incarnation

    def append(self, records: Sequence[NewRecord], *, now: datetime) -> list[int]:
        """Append records all together or not at all; durable on return. Returns their offsets."""
        for record in records:
            if not 0 <= record.partition < self._partitions:
                raise LogError(f"partition {record.partition} does not exist; there are {self._partitions}")
        if not records:
            return []
        mine = _Append(records, int(now.timestamp() * 1000))
        with self._queue_lock:
            self._queue.append(mine)
        with self._commit_lock:
            if not mine.done:
                self._commit(self._take())
        if mine.error is not None:
            raise LogError(f"feedback log {self._path} refused the append: {mine.error}") from mine.error
        return mine.offsets

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        """Records from `offset` on, at least one if there is one, until `max_events` or `max_bytes` are reached."""
        records = Records()
        events = size = 0
        with self._reading() as connection, closing(connection.execute(_READ, (partition, offset))) as rows:
            chunk_rows = 1
            while events < max_events and size < max_bytes and (chunk := rows.fetchmany(chunk_rows)):
                found = _records(chunk)
                records.extend(found)
                events += sum(found.counts)
                size += sum(map(len, found.values))
                chunk_rows = max(1, min(READ_ROWS, len(records) * READ_BYTES // max(1, size)))
        if events > max_events or size > max_bytes:
            records = records.take(records.within(max_events=max_events, max_bytes=max_bytes))
        if not records or records.offsets[0] != offset:
            self._refuse_gap(partition, offset)
        return records

    def bounds(self) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        with self._reading() as connection:
            return {p: (first, end) for p, first, end in connection.execute(_BOUNDS)}

    def seen_ids(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Which identity keys were appended within the retention, each with the digest of its content, if known."""
        with self._reading() as connection:
            return sqlite_memory.seen_ids(connection, keys)

    def latest_statements(self, topics: Sequence[str]) -> dict[str, int]:
        """Of topics whose latest statement came without id and time, the digest of its content; of any writer."""
        with self._reading() as connection:
            return sqlite_memory.latest_statements(connection, topics)

    def join(self, worker: str) -> PartitionAssignment:
        """Become one of the workers that share the partitions."""
        try:
            return LeasedAssignment(
                self._path,
                worker,
                partitions=self._partitions,
                lease_seconds=self._lease_seconds,
                clock=self._clock,
            )
        except sqlite3.Error as error:
            raise LogError(f"feedback log {self._path}: worker {worker} cannot join: {error}") from error

    def trim(self, *, before: datetime, keep_from: dict[int, int]) -> int:
        """Drop whole records appended before a time, but none at or after `keep_from`; returns how many."""
        before_ms = int(before.timestamp() * 1000)
        with self._answering("trimmed"), closing(self._connect()) as connection:
            # A trim that a power cut undoes is repeated: its steps need not wait for the disk.
            connection.execute("PRAGMA synchronous = NORMAL")
            trim = SteppedTrim(connection, lambda: self._commit_lock)
            bounds = {p: (first, end) for p, first, end in connection.execute(_BOUNDS)}
            dropped = trim.records(bounds, before_ms=before_ms, keep_from=keep_from)
            for table in sqlite_memory.TABLES:
                trim.keys(table, before_day=before_ms // DAY_MS)
        return dropped

    def close(self) -> None:
        """Close every connection of this process."""
        self._closed = True
        self._readers.close()
        self._writers.close()

    def _take(self) -> list[_Append]:
        """Every append that waits, the caller's own among them."""
        with self._queue_lock:
            taken, self._queue = self._queue, []
        return taken

    def _commit(self, appends: list[_Append]) -> None:
        try:
            with self._transaction() as connection:
                heads = dict(connection.execute("SELECT partition, next FROM heads"))
                for append in appends:
                    append.offsets = _insert(connection, heads, append)
                connection.executemany(
                    "UPDATE heads SET next = ? WHERE partition = ?", [(n, p) for p, n in heads.items()]
                )
        except BaseException as error:
            for append in appends:  # no waiting thread may take its append for written
                append.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            for append in appends:
                append.done = True

    def _refuse_gap(self, partition: int, offset: int) -> None:
        bounds = self.bounds().get(partition)
        if bounds is None:
            raise LogError(f"partition {partition} does not exist; there are {self._partitions}")
        first, end = bounds
        if not first <= offset <= end:
            raise LogGap(
                f"log {self._name!r}, partition {partition}: offset {offset} is asked for, "
                f"but the log holds {first} to {end - 1}"
            )

    def _prepare(self, partitions: int) -> tuple[int, int]:
        drawn = secrets.randbelow(1 << 62) + 1
        with self._writers.taken() as connection:
            connection.executescript(_SCHEMA + sqlite_memory.SCHEMA + LEASES_SCHEMA)
        with self._transaction() as connection:
            if "headers" not in {column[1] for column in connection.execute("PRAGMA table_info(records)")}:
                connection.execute("ALTER TABLE records ADD COLUMN headers TEXT")  # a file of version 0.1
            connection.executemany(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)",
                [("partitions", str(partitions)), ("incarnation", str(drawn))],
            )
            meta = {name: int(value) for name, value in connection.execute("SELECT name, value FROM meta")}
            connection.executemany(
                "INSERT OR IGNORE INTO heads VALUES (?, 0, 0)", [(p,) for p in range(meta["partitions"])]
            )
        return meta["partitions"], meta["incarnation"]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writers.taken() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection  # the pool rolls back what an error leaves open
            connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._answering(), self._readers.taken() as connection:
            yield connection

    @contextmanager
    def _answering(self, what: str = "read") -> Iterator[None]:
        """Raise errors of the file as `LogError`."""
        if self._closed:
            raise LogError(f"feedback log {self._path} is closed")
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(f"feedback log {self._path} cannot be {what}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA mmap_size = {MMAP_BYTES}")
        return connection


def _records(rows: Sequence[tuple[int, int, int, int, bytes, str | None]]) -> Records:
    """Rows of `_READ`, at least one, in columns."""
    partitions, offsets, appended_at_ms, counts, values, headers = map(list, zip(*rows, strict=True))
    beside = {place: _decode_headers(text) for place, text in enumerate(headers) if text}
    return Records(partitions, offsets, appended_at_ms, counts, values, beside)


def _insert(connection: sqlite3.Connection, heads: dict[int, int], append: _Append) -> list[int]:
    offsets: list[int] = []
    for record in append.records:
        offset = heads[record.partition]
        heads[record.partition] = offset + 1
        offsets.append(offset)
        connection.execute(
            "INSERT INTO records (partition, offset, appended_at_ms, count, value, headers) VALUES (?, ?, ?, ?, ?, ?)",
            (record.partition, offset, append.now_ms, record.count, record.value, _encode_headers(record.headers)),
        )
        sqlite_memory.remember(connection, record.memos, day=append.now_ms // DAY_MS)
    return offsets


def _encode_headers(headers: Headers) -> str | None:
    return msgspec.json.encode(headers).decode() if headers else None


def _decode_headers(text: str) -> Headers:
    return msgspec.json.decode(text, type=Headers)
