"""Appending to a Kafka log: an idempotent producer that waits until every replica in sync has the records."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feedback.errors import LogError, SettingsError
from feedback.log.kafka.client import Complaints, Connection, words
from feedback.log.kafka.record import headers_for
from feedback.log.kafka.topic import MAX_RECORD_BYTES
from feedback.log.port import NewRecord

LOGGER = logging.getLogger(__name__)

DELIVERY_SECONDS = 30.0
"""How long an append may take, over any restart of a broker, before the sender is told to try again."""

POLL_SECONDS = 0.1

TUNED = {"linger.ms": 1, "compression.type": "lz4", "message.max.bytes": MAX_RECORD_BYTES}
FIXED = {"acks": "all", "enable.idempotence": True}


@dataclass(slots=True)
class _Delivery:
    """The delivery reports of one append."""

    offsets: list[int]
    missing: int
    error: KafkaError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def report(self, index: int, error: KafkaError | None, offset: int | None) -> None:
        """One record's end; called from the producer's own thread only."""
        if error is not None:
            self.error = error
        elif offset is not None:
            self.offsets[index] = offset
        self.missing -= 1
        if self.missing == 0:
            self.done.set()


class Appender:
    """One producer for all threads of a process; a background thread polls its delivery reports."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._complaints = Complaints()
        self._closed = threading.Event()
        tuned = {**TUNED, "message.timeout.ms": int(DELIVERY_SECONDS * 1000)}
        try:
            self._producer = Producer(connection.settings(self._complaints, tuned=tuned, fixed=FIXED))
        except KafkaException as error:
            raise SettingsError(f"log_options: {words(error)}") from error
        self._thread = threading.Thread(target=self._listen, name="heed-append", daemon=True)
        self._thread.start()
        self.broken = False

    def append(self, records: Sequence[NewRecord], *, now_ms: int) -> list[int]:
        """Send records and wait for all; their offsets.

        `now_ms` is the time of the records only where the topic does not take the broker's (see `times`).

        Raises:
            LogError: At least one is not known to be in; others may be.
        """
        delivery = _Delivery([-1] * len(records), len(records))
        deadline = time.monotonic() + DELIVERY_SECONDS
        for index, record in enumerate(records):
            try:
                self._send(record, index, delivery, now_ms, deadline)
            except (KafkaException, BufferError) as error:
                raise self._refusal(error) from error
        # The client reports every record within its own timeout; the rest is for a machine that is very busy.
        if not delivery.done.wait(max(0.0, deadline - time.monotonic()) + DELIVERY_SECONDS / 2):
            raise self._refusal(None)
        if delivery.error is not None:
            self.broken = delivery.error.fatal()
            raise self._refusal(delivery.error)
        return delivery.offsets

    def close(self) -> None:
        """End the producer; what is not yet acknowledged is dropped, and its sender told."""
        self._producer.flush(0)
        self._closed.set()
        self._thread.join(2 * POLL_SECONDS)

    def _send(self, record: NewRecord, index: int, delivery: _Delivery, now_ms: int, deadline: float) -> None:
        def heard(error: KafkaError | None, message: Message) -> None:
            delivery.report(index, error, message.offset())

        while True:
            try:
                self._producer.produce(
                    self._connection.topic,
                    record.value,
                    partition=record.partition,
                    timestamp=now_ms,
                    headers=headers_for(record.value, record.count, record.headers),
                    on_delivery=heard,
                )
            except BufferError:  # the client's queue is full
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._producer.poll(POLL_SECONDS)
            except Exception:  # without this thread no append would ever be acknowledged
                LOGGER.exception("%s: a report of the producer cannot be read", self._connection.log)
                self._closed.wait(POLL_SECONDS)

    def _refusal(self, error: KafkaException | KafkaError | BufferError | None) -> LogError:
        if isinstance(error, BufferError):
            error = None
        return self._connection.refusal("the append is not known to be in", error, self._complaints)
