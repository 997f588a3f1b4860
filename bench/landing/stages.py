"""Processor time of landing by stage: each stage alone, on the events of the landing bench.

Nothing runs beside a stage here, so that the processor time of the process, its libraries' threads included, is the
stage's own. Drained as it is meant to be, stages run beside each other; see docs/performance.md.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import polars as pl

from beam_jobs.source.poll import Cursor
from beam_jobs.stages.admit import admit
from beam_jobs.stages.chain import StageChain
from beam_jobs.stages.decode import Decoder
from beam_jobs.stages.deduplication.deduplicate import deduplicate
from beam_jobs.stages.deduplication.landed_ids import LandedIds
from beam_jobs.stages.limits import landing_limits
from beam_jobs.stages.registry import STAGES
from bench.drains.events import EVENTS_PER_SECOND, rating_chunks
from bench.drains.logs import fill_kafka, fill_log
from bench.figures import Figure, reported
from feedback.log.open import open_log
from feedback.settings.home import Settings, load_settings
from lakehouse.commit import LandingCommitter
from lakehouse.lake import open_lake
from online.open import open_online_store
from tests.support.kafka_server import broker

EVENTS = 300_000
TOPIC = "ratings"
SEED = 42

OPTIONS = (click.Option(["--events"], type=click.IntRange(min=1_000), default=EVENTS, help="How many events."),)


def run(report: Callable[[str], None], *, events: int = EVENTS) -> Iterator[Figure]:
    """Processor time of each stage per event, from Kafka and from SQLite with one event per record."""
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as scratch, broker(Path(scratch) / "broker") as node:
        for name, log_url in (("Kafka", f"kafka://{node.address}/{TOPIC}"), ("SQLite", "")):
            settings = load_settings(Path(scratch) / name, log_url=log_url)
            report(f"{name}: sending events")
            first_at_us = int((time.time() - events / EVENTS_PER_SECOND) * 1e6)
            chunks = rating_chunks(events, partitions=settings.log.partitions, seed=SEED, first_at_us=first_at_us)
            if log_url:
                fill_kafka(settings, node.address, TOPIC, chunks)
            else:
                fill_log(settings, chunks, events_per_record=1)
            report(f"{name}: landing, stage by stage")
            spent = stage_seconds(settings)
            for stage, seconds in [*spent.items(), ("all stages", sum(spent.values()))]:
                yield reported(f"{name}, {stage}: processor time", seconds / events * 1e6, unit="µs/event")


def stage_seconds(settings: Settings) -> dict[str, float]:
    """Land the whole log of a fresh home; processor seconds by stage, in their order."""
    spent: dict[str, float] = {}
    stage = partial(_timed, spent)
    log, lake, store = open_log(settings.log), open_lake(settings), open_online_store(settings.online)
    committer = LandingCommitter(lake, log.name, log.partitions)
    start = committer.positions()
    cursor = Cursor(log, start, max_events=settings.landing.batch_events, max_bytes=settings.landing.batch_bytes)
    until = {partition: end for partition, (_, end) in log.bounds().items()}
    decoder = Decoder(landing_limits(settings.admission, settings.landing))
    landed, chain = LandedIds(settings.landing.dedup_window_days), StageChain(STAGES, settings)
    while True:
        with stage("poll"):
            poll = cursor.poll(until=until)
        if poll is None:
            break
        with stage("decode"):
            batch = decoder.decode(poll)
        with stage("admit"):
            batch = admit(batch, max_future=settings.admission.max_future)
        with stage("deduplicate"):
            landed.prepare(lake, batch.start, batch.days)
            batch = deduplicate(batch, landed)
        with stage("registered stages"):
            batch = chain.process(batch)
        with stage("commit"):
            committer.commit(batch.to_commit(), at=datetime.now(UTC))
        with stage("online store"):
            store.push(batch.events.select(pl.exclude("line", "appended_at")), dict(batch.end))
    with stage("online store"):
        store.close()
    chain.close()
    log.close()
    return spent


@contextmanager
def _timed(spent: dict[str, float], name: str) -> Iterator[None]:
    before = time.process_time()
    yield
    spent[name] = spent.get(name, 0.0) + time.process_time() - before
