"""One rebuild of the online store in a child process: prints one JSON object.

python -m bench.rebuilding.child HOME
"""

from __future__ import annotations

import sys
import time

import msgspec
import psutil  # type: ignore[import-untyped]

from bench.drains.drain_child import peak_mib
from feedback.settings.home import load_settings
from lakehouse.lake import open_lake
from online.open import open_online_store
from online.port import rebuild

MIB = 1024 * 1024


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild did and what it took."""

    rows: int
    seconds: float
    idle_mib: float
    """Before the first row was read."""
    peak_mib: float


def main(home: str) -> None:
    """Rebuild the store and print what it took."""
    settings = load_settings(home)
    lake, store = open_lake(settings), open_online_store(settings.online)
    lake.positions(settings.log.name, settings.log.partitions)
    idle, began = psutil.Process().memory_info().rss / MIB, time.perf_counter()
    rows = rebuild(store, lake, settings.log.name, settings.log.partitions)
    rebuilt = Rebuilt(rows=rows, seconds=time.perf_counter() - began, idle_mib=idle, peak_mib=peak_mib())
    sys.stdout.write(msgspec.json.encode(rebuilt).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
