"""Kill a real landing process while events come in: what tests of crashes share."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback.intake import open_intake
from feedback.log.port import NewRecord
from feedback.settings.home import Settings
from feedback.settings.source import ROOT

POINTS = ("after data file", "between tables", "after commit")
CHILD = Path(__file__).with_name("landing_child.py")
DEADLINE_SECONDS = 180


@contextmanager
def producing(settings: Settings, accepted: list[str]) -> Iterator[None]:
    """Send events, some of them poison, until the block ends."""
    intake = open_intake(settings)
    done = threading.Event()

    def produce() -> None:
        number = 0
        while not done.wait(0.01):
            ids = [f"e{n}" for n in range(number, number + 5)]
            number += 5
            intake.submit({"kind": "click", "id": i, "user_id": str(number % 13), "item_id": "x"} for i in ids)
            accepted.extend(ids)
            if number % 50 == 0:
                intake.log.append([NewRecord(number % 4, b"poison", 1)], now=intake._clock())

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def land_until_killed(settings: Settings, rng: random.Random, kill: int) -> None:
    """Start landing; let it die at a named point of a commit, or at a random moment once it commits."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    at_point = kill % 2 == 0
    if at_point:
        environment["HEED_FAULT_POINT"] = f"{POINTS[kill // 2 % 3]}:{rng.randint(1, 4)}"
    before = version(settings)
    process = subprocess.Popen([sys.executable, str(CHILD), settings.home], env=environment)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if not at_point and version(settings) > before:
            time.sleep(rng.random() * 0.1)  # the random moment of the kill is the point here
            process.kill()
        time.sleep(0.005)
    assert process.wait(5) == -9


def version(settings: Settings) -> int:
    """The newest Delta commit of `feedback`, by its file: cheap enough to poll."""
    log = Path(settings.lake.uri) / "feedback" / "_delta_log"
    return max((int(path.stem) for path in log.glob("*.json")), default=-1)
