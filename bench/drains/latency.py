"""Latency from accepted to landed: events go through the real intake, a child process streams them.

An event is accepted when the intake has answered, and landed when the commit that holds it became visible: the change
time of the commit's file in the Delta log, which is when it got its name there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from bench.figures import Figure, below, reported
from feedback.errors import ServiceError
from feedback.intake import Intake, open_intake
from feedback.settings.home import Settings, load_settings
from feedback.settings.source import ROOT
from lakehouse.lake import open_lake
from lakehouse.landed.positions import application_id
from lakehouse.tables.feedback import FEEDBACK

EVENTS_PER_APPEND = 10
APPEND_SECONDS = 0.01
"""Ten events every ten milliseconds: 1,000 events/s."""

START_SECONDS = 60.0
END_SECONDS = 30.0
STOP_SECONDS = 30.0
ITEMS, PEOPLE = 5_000, 20_000


def latency_figures(home: Path, *, seconds: float) -> Iterator[Figure]:
    """Percentiles over every event of so many seconds at 1,000 events/s.

    Raises:
        ServiceError: The stream did not come up, or some events never landed.
    """
    settings = load_settings(home)
    intake = open_intake(settings)
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "land", "--stream", "--home", str(home)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as stream:
        try:
            _submit(intake, "first", 0)
            _wait_for_rows(settings, 1, START_SECONDS, stream)
            began = time.monotonic()
            accepted = send(intake, seconds)
            took = time.monotonic() - began
            _wait_for_rows(settings, 1 + len(accepted), END_SECONDS, stream)
        finally:
            stream.terminate()
            stream.wait(STOP_SECONDS)
            intake.log.close()
    landed = landing_times(settings)
    waits = np.array([landed[event] - at for event, at in accepted.items()]) * 1000
    yield reported(f"accepted to landed: events sent in {took:.0f} s", len(accepted) / took, unit="events/s")
    yield reported("accepted to landed: load average", os.getloadavg()[0])
    yield below("accepted to landed, p50", float(np.percentile(waits, 50)), 150, unit="ms")
    yield below("accepted to landed, p95", float(np.percentile(waits, 95)), 300, unit="ms")
    yield reported("accepted to landed, p99", float(np.percentile(waits, 99)), unit="ms")


def send(intake: Intake, seconds: float) -> dict[str, float]:
    """Submit at a steady rate; when each event was accepted, in seconds since 1970, by its id."""
    accepted: dict[str, float] = {}
    began = time.monotonic()
    for number in range(round(seconds / APPEND_SECONDS)):
        due = began + number * APPEND_SECONDS
        time.sleep(max(0.0, due - time.monotonic()))
        accepted |= _submit(intake, f"e{number}", number * EVENTS_PER_APPEND)
    return accepted


def _submit(intake: Intake, name: str, number: int) -> dict[str, float]:
    events = [
        {
            "id": f"{name}-{at}",
            "kind": "rating",
            "user_id": f"person-{(number + at) * 7919 % PEOPLE}",
            "item_id": f"item-{(number + at) * 104729 % ITEMS}",
            "value": 1 + (number + at) % 5,
            "scale": [1, 5],
            "text": "good value, would buy it again",
        }
        for at in range(EVENTS_PER_APPEND if number or name != "first" else 1)
    ]
    verdicts = intake.submit(events)
    at = time.time()
    refused = [verdict for verdict in verdicts if verdict.verdict != "accepted"]
    if refused:
        raise ServiceError(f"the intake refused an event of the latency bench: {refused[0]}")
    return {str(verdict.id): at for verdict in verdicts}


def _wait_for_rows(settings: Settings, rows: int, seconds: float, stream: subprocess.Popen[bytes]) -> None:
    lake = open_lake(settings)
    deadline = time.monotonic() + seconds
    while (found := lake.row_count(FEEDBACK)) < rows:
        if stream.poll() is not None:
            raise ServiceError(f"the landing stream ended with status {stream.returncode}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{found:,} of {rows:,} events landed within {seconds:.0f} s")
        time.sleep(0.2)


def landing_times(settings: Settings) -> dict[str, float]:
    """When each event of a local lake landed, in seconds since 1970, by its id."""
    lake = open_lake(settings)
    commits = pl.DataFrame(
        [
            (partition, end, visible)
            for visible, ends in _commits(Path(lake.uri(FEEDBACK)) / "_delta_log", settings)
            for partition, end in ends.items()
        ],
        schema={"log_partition": pl.Int32, "end": pl.Int64, "visible": pl.Float64},
        orient="row",
    ).sort("end")
    rows = lake.scan(FEEDBACK).select("id", "log_partition", pl.col("log_offset") + 1).collect().sort("log_offset")
    found = rows.join_asof(
        commits, left_on="log_offset", right_on="end", by="log_partition", strategy="forward", check_sortedness=False
    )
    return dict(found.select("id", "visible").iter_rows())


def _commits(folder: Path, settings: Settings) -> Iterator[tuple[float, dict[int, int]]]:
    """Each commit of positions: when it became visible, and up to where each partition has landed by it."""
    partition_of = {application_id(settings.log.name, p): p for p in range(settings.log.partitions)}
    for file in folder.glob("*.json"):
        actions = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
        ends = {
            partition_of[action["txn"]["appId"]]: int(action["txn"]["version"])
            for action in actions
            if action.get("txn", {}).get("appId") in partition_of
        }
        yield file.stat().st_ctime, ends
