"""The plain single loop: consume, one Arrow JSON parse per batch, one Parquet file. No checks, no ids, no positions.

    python -m bench.peers.plain_loop SERVERS TOPIC EVENTS FILE

It shows what twenty lines reach on the same broker and libraries, the upper bound for landing. Its clock starts with
the first poll, as landing's does, and stops when the file is closed.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from feedback.errors import ServiceError

BATCH_EVENTS = 50_000
WAIT_SECONDS = 30.0
CONSUMER = {
    "group.id": "plain-loop",
    "enable.auto.commit": False,
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 200_000,
}
FIELDS: list[pa.Field[Any]] = [
    pa.field("v", pa.int32()),
    pa.field("id", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("subject", pa.string()),
    pa.field("item_id", pa.string()),
    pa.field("occurred_at", pa.int64()),
    pa.field("received_at", pa.int64()),
    pa.field("source", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("scale_min", pa.float64()),
    pa.field("scale_max", pa.float64()),
    pa.field("text", pa.string()),
    pa.field("device", pa.string()),
    pa.field("country", pa.string()),
]
SCHEMA = pa.schema(FIELDS)
"""The fields that the bench's events have, and no others."""


class Looped(msgspec.Struct, frozen=True):
    """How many events were written, and in how many seconds."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def events_per_second(self) -> float:
        """After start-up."""
        return self.events / self.seconds


def loop(servers: str, topic: str, events: int, file: Path) -> Looped:
    """Read so many events of a topic from its beginning and write them.

    Raises:
        ServiceError: The topic has fewer.
    """
    consumer = Consumer({**CONSUMER, "bootstrap.servers": servers})
    partitions = consumer.list_topics(topic, timeout=WAIT_SECONDS).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    parsing = pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore")
    began, cpu_before = time.perf_counter(), time.process_time()
    rows = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        while rows < events:
            messages = consumer.consume(min(BATCH_EVENTS, events - rows), WAIT_SECONDS)
            if not messages:
                raise ServiceError(f"topic {topic} has {rows} events; {events} were asked for")
            lines = b"\n".join([message.value() or b"" for message in messages])
            table = pj.read_json(io.BytesIO(lines), parse_options=parsing)
            writer.write_table(table)
            rows += table.num_rows
    looped = Looped(rows, time.perf_counter() - began, time.process_time() - cpu_before)
    consumer.close()
    return looped


if __name__ == "__main__":
    looped = loop(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    sys.stdout.buffer.write(msgspec.json.encode(looped) + b"\n")
