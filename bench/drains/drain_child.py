"""One drain in a child process, to measure its start-up and memory alone: prints one JSON object.

python -m bench.drains.drain_child HOME '{"setting": value}'
"""

from __future__ import annotations

import re
import resource
import sys
import time
from pathlib import Path

import msgspec

from feedback.settings.home import load_settings

BEGAN = time.perf_counter()


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """What a drain did and what it took."""

    landed: int
    duplicates: int
    quarantined: int
    batches: int
    seconds: float
    """From the first poll until everything is closed, the last push to the online store and the windows included."""
    startup_seconds: float
    loading_seconds: float
    """Of `seconds`, the time to read the ids of landed rows."""
    cpu_seconds: float
    peak_mib: float

    @property
    def events(self) -> int:
        """Events that were read."""
        return self.landed + self.duplicates + self.quarantined

    @property
    def events_per_second(self) -> float:
        """After start-up."""
        return self.events / self.seconds


def peak_mib() -> float:
    """The most memory that this process had; `ru_maxrss` would begin with what its parent had when it started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii"))[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(home: str, overrides: str) -> None:
    """Drain the log and print what it did."""
    import beam_jobs.pipeline  # noqa: F401 - the drain imports it; here, so that it is not counted as its work
    from beam_jobs.landing import drain

    imported, cpu_before, started = time.perf_counter() - BEGAN, time.process_time(), time.time()
    done = drain(load_settings(home, **msgspec.json.decode(overrides)))
    drained = Drained(
        landed=done.landed,
        duplicates=done.duplicates,
        quarantined=done.quarantined,
        batches=done.batches,
        seconds=time.time() - started - done.startup_seconds,
        loading_seconds=done.loading_seconds,
        startup_seconds=imported + done.startup_seconds,
        cpu_seconds=time.process_time() - cpu_before,
        peak_mib=peak_mib(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(drained) + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
