"""Logs that hold a bench's events, filled once and read many times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from confluent_kafka import Producer

from bench.drains.events import Chunk
from feedback.errors import ServiceError
from feedback.log.open import open_log
from feedback.log.port import Memo, pack
from feedback.settings.home import Settings

FLUSH_SECONDS = 60.0
PRODUCER = {
    "log_level": 0,
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 50,
    "batch.size": 1_000_000,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 512 * 1024,
}


def fill_kafka(settings: Settings, servers: str, topic: str, chunks: Iterable[Chunk]) -> int:
    """Send one record per event to the topic of a Kafka log; returns how many.

    Raises:
        ServiceError: Some are not known to be in.
    """
    open_log(settings.log).close()  # makes the topic
    producer = Producer({**PRODUCER, "bootstrap.servers": servers})
    sent = 0
    for chunk in chunks:
        for line, partition in zip(chunk.lines, chunk.partitions, strict=True):
            producer.produce(topic, line, partition=partition)
        sent += len(chunk.lines)
        if producer.flush(FLUSH_SECONDS):
            raise ServiceError(f"topic {topic}: not every event is known to be in after {FLUSH_SECONDS:.0f} s")
    return sent


def fill_log(settings: Settings, chunks: Iterable[Chunk], *, events_per_record: int) -> int:
    """Append events to the log of the settings through its port; returns how many."""
    log = open_log(settings.log)
    sent = 0
    try:
        for chunk in chunks:
            keyed = zip(chunk.partitions, chunk.lines, [Memo(b"")] * len(chunk.lines), strict=True)
            log.append(pack(keyed, max_events=events_per_record), now=datetime.now(UTC))
            sent += len(chunk.lines)
    finally:
        log.close()
    return sent
