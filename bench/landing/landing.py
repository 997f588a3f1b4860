"""Landing: speed against Spark and a plain loop, latency, and speed as the lake grows.

Every peer reads the same events from the same broker in the same run, each in a process of its own and timed after
its start-up; they alternate, so that a noisy machine affects all alike, and the median of the rounds counts. Spark
runs once where a run takes it minutes. Figures of processor time say what the clock cannot on a busy machine.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bench.drains.drain_child import Drained
from bench.drains.events import EVENTS_PER_SECOND, Chunk, rating_chunks
from bench.drains.growth import NEW_EVENTS, growth_figures
from bench.drains.in_child import drain_in_child
from bench.drains.latency import latency_figures
from bench.drains.logs import fill_kafka, fill_log
from bench.figures import Figure, at_least, reported
from bench.peers.plain_loop import Looped
from bench.peers.plain_loop_child import loop_in_child
from bench.peers.spark import SparkLanded, land_with_spark
from bench.peers.spark_environment import spark_environment
from feedback.errors import UsageError
from feedback.settings.home import load_settings
from tests.support.kafka_server import Broker, broker

EVENTS = 1_000_000
SPARK_EVENTS = 300_000
"""Spark gets the first of them in a topic of its own: rates are compared, and a run stays within minutes."""
PARTITIONS = 4
GATEWAY_EVENTS = 100
"""Events of one record as a gateway's batch brings them."""
SEED = 42
TOPIC, SPARK_TOPIC = "ratings", "ratings-for-spark"
PARTS = ("speed", "latency", "growth")
Report = Callable[[str], None]

OPTIONS = (
    click.Option(["--events"], type=click.IntRange(min=1_000), default=EVENTS, help="Events of the speed part."),
    click.Option(["--rounds"], type=click.IntRange(min=1), default=2, help="Rounds; their median counts."),
    click.Option(["--seconds"], type=click.FloatRange(min=5), default=300.0, help="Length of the latency part."),
    click.Option(["--rows"], multiple=True, type=int, help="Landed rows behind the growth part; may be repeated."),
    click.Option(["--only"], multiple=True, help=f"One part alone ({', '.join(PARTS)}); may be repeated."),
    click.Option(["--spark-events"], type=click.IntRange(min=0), default=SPARK_EVENTS, help="For Spark; 0: none."),
)


def run(
    report: Report,
    *,
    events: int = EVENTS,
    rounds: int = 2,
    seconds: float = 300.0,
    rows: tuple[int, ...] = (),
    only: tuple[str, ...] = (),
    spark_events: int = SPARK_EVENTS,
) -> Iterator[Figure]:
    """Every figure of landing, as it is measured.

    Raises:
        UsageError: A part has no such name.
    """
    if unknown := sorted(set(only) - set(PARTS)):
        raise UsageError(f"heed bench landing --only {unknown[0]}: no such part; there are: {', '.join(PARTS)}")
    parts = only or PARTS
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as scratch:
        folder = Path(scratch)
        if "speed" in parts:
            yield from speed_figures(folder, report, events=events, rounds=rounds, spark_events=spark_events)
        if "latency" in parts:
            report("accepted to landed")
            yield from latency_figures(folder / "latency", seconds=seconds)
        if "growth" in parts:
            yield from growth_figures(folder / "growth", report, sizes=rows, events=min(events, NEW_EVENTS))


def speed_figures(folder: Path, report: Report, *, events: int, rounds: int, spark_events: int) -> Iterator[Figure]:
    """One backlog through every peer; Heed from Kafka and from SQLite."""
    environment = spark_environment() if spark_events else None
    with broker(folder / "broker") as node:
        report("sending events")
        logs = fill_logs(folder, node, events, spark_events=spark_events)
        found = Measured()
        for number in range(rounds):
            report(f"round {number + 1} of {rounds}: the plain loop")
            found.loops.append(loop_in_child(node.address, TOPIC, events, folder / "plain.parquet"))
            for name, log_url in logs.items():
                report(f"round {number + 1} of {rounds}: Heed, {name}")
                home = folder / f"home-{number}-{name}"
                found.drains.setdefault(name, []).append(drain_in_child(home, {"log_url": log_url}))
            if environment is not None and number == 0:
                report("Spark")
                found.spark = land_with_spark(
                    environment, servers=node.address, topic=SPARK_TOPIC, folder=folder / "spark"
                )
            found.loads.append(os.getloadavg()[0])
    yield from found.figures(events)


def fill_logs(folder: Path, node: Broker, events: int, *, spark_events: int) -> dict[str, str]:
    """The same events in Kafka and in two SQLite logs; their addresses by what they are called."""
    first_at_us = int((time.time() - events / EVENTS_PER_SECOND) * 1e6)

    def chunks(count: int = events) -> Iterator[Chunk]:
        return rating_chunks(count, partitions=PARTITIONS, seed=SEED, first_at_us=first_at_us)

    logs = {
        "Kafka": f"kafka://{node.address}/{TOPIC}",
        "SQLite": f"sqlite:///{folder / 'single.db'}",
        f"SQLite, {GATEWAY_EVENTS} events per record": f"sqlite:///{folder / 'gateway.db'}",
    }
    for name, log_url in logs.items():
        settings = load_settings(folder / "filling", log_url=log_url, log_partitions=PARTITIONS)
        if name == "Kafka":
            fill_kafka(settings, node.address, TOPIC, chunks())
        else:
            fill_log(settings, chunks(), events_per_record=1 if name == "SQLite" else GATEWAY_EVENTS)
    if spark_events:
        its_own = load_settings(folder / "filling", log_url=f"kafka://{node.address}/{SPARK_TOPIC}")
        fill_kafka(its_own, node.address, SPARK_TOPIC, chunks(spark_events))
    return logs


class Measured:
    """What the rounds found."""

    def __init__(self) -> None:
        self.loops: list[Looped] = []
        self.drains: dict[str, list[Drained]] = {}
        self.loads: list[float] = []
        self.spark: SparkLanded | None = None

    def figures(self, events: int) -> Iterator[Figure]:
        """Rates, ratios, processor time and memory."""
        plain = _rate(self.loops)
        rates = {name: _rate(drains) for name, drains in self.drains.items()}
        yield reported("load average while it ran, highest", max(self.loads))
        yield reported(f"plain loop, {events:,} events", plain, unit="events/s")
        yield reported("plain loop, processor time", _processor(self.loops), unit="µs/event")
        if self.spark is not None:
            words = f"Spark Structured Streaming, the first {self.spark.events:,} of them"
            yield reported(words, self.spark.events_per_second, unit="events/s")
        for name, drains in self.drains.items():
            lost = max(abs(drained.events - events) for drained in drains)
            yield Figure(
                figure=f"Heed, {name}: events unaccounted for", value=lost, unit="", bar="= 0", holds=lost == 0
            )
            yield reported(f"Heed, {name}: one worker", rates[name], unit="events/s")
            yield reported(f"Heed, {name}: processor time", _processor(drains), unit="µs/event")
            yield reported(f"Heed, {name}: peak memory", max(drained.peak_mib for drained in drains), unit="MiB")
            yield at_least(f"Heed, {name}: share of the plain loop", rates[name] / plain, 0.8)
        if self.spark is not None:
            yield at_least("Heed, Kafka: times Spark", rates["Kafka"] / self.spark.events_per_second, 5)


def _rate(runs: list[Looped] | list[Drained]) -> float:
    return statistics.median(each.events_per_second for each in runs)


def _processor(runs: list[Looped] | list[Drained]) -> float:
    return statistics.median(each.cpu_seconds / each.events for each in runs) * 1e6
