"""Torn tails: cut or garble what follows the last acknowledged record of a log, as a crash may.

Both logs acknowledge only what is safe by their own rules: SQLite what is synced in its write-ahead log, Kafka what all
replicas in sync have. So only what comes behind may be cut or garbled. Cutting acknowledged records is losing the
disk itself: one SQLite file or one replica does not survive that, replication does.
"""

from __future__ import annotations

import random
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

HEADER = struct.Struct(">8I")
FRAME = struct.Struct(">6I")
GARBAGE_BYTES = 1000


def cut_wal_tail(path: Path, rng: random.Random) -> int:
    """Cut what follows the last commit in a SQLite file's write-ahead log, and leave half a frame of garbage there.

    Nobody can write meanwhile, for we hold the write lock. Returns how many bytes were cut.
    """
    wal = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not wal.exists():  # the last process that had the file open took it away when it ended
                return 0
            with wal.open("r+b") as file:
                end = committed_end(file.read())
                size = wal.stat().st_size
                file.truncate(end)
                file.seek(end)
                file.write(rng.randbytes(GARBAGE_BYTES) if end else b"")
        finally:
            connection.execute("ROLLBACK")
    return max(0, size - end)


def committed_end(wal: bytes) -> int:
    """Where the last commit of a write-ahead log ends; 0 for a log without any."""
    if len(wal) < HEADER.size:
        return 0
    _, _, page_size, _, *salts, _, _ = HEADER.unpack_from(wal)
    end, at = HEADER.size, HEADER.size
    while at + FRAME.size + page_size <= len(wal):
        _, pages_after_commit, *found, _, _ = FRAME.unpack_from(wal, at)
        if found != salts:
            break
        at += FRAME.size + page_size
        if pages_after_commit:
            end = at
    return end


def tear_segments(data: Path, topic: str, rng: random.Random) -> int:
    """Garble the end of the last segment of each of a topic's partitions; the broker must be down. Returns how many."""
    torn = 0
    for folder in sorted(data.glob(f"{topic}-*")):
        segments = sorted(folder.glob("*.log"))
        if segments:
            with segments[-1].open("ab") as file:
                file.write(rng.randbytes(GARBAGE_BYTES))
            torn += 1
    return torn
