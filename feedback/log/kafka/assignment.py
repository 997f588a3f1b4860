"""The partitions assigned to a worker: it is a member of a consumer group that fetches nothing.

The group only decides who reads what. A background thread keeps the membership, so that a slow commit does not lose it.
A stopped process stops the thread too, and the group reassigns its partitions; on waking it drops its partitions and
joins again.
"""

from __future__ import annotations

import logging
import threading

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from feedback.errors import LogError, SettingsError
from feedback.log.kafka.client import Complaints, Connection, words
from feedback.log.leases import Monotonic

LOGGER = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LEAVE_SECONDS = 5.0
BUSY_SECONDS = 300.0
"""`max.poll.interval.ms`: how long the process's own work may keep the thread from polling."""


class GroupAssignment:
    """A `PartitionAssignment` that a consumer group decides on."""

    def __init__(
        self, connection: Connection, worker: str, *, group: str, lease_seconds: float, clock: Monotonic
    ) -> None:
        self._clock = clock
        self._connection = connection
        self._lease_seconds = lease_seconds
        heartbeat_seconds = lease_seconds / 6
        self._silence_seconds = lease_seconds - 2 * heartbeat_seconds
        self._complaints = Complaints()
        self._mine: frozenset[int] = frozenset()
        self._failure: str | None = None
        self._polled_at = self._clock()
        self._stop = threading.Event()
        self._configuration = connection.settings(
            self._complaints,
            fixed={
                "client.id": worker,
                "group.id": group,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(lease_seconds * 1000),
                "heartbeat.interval.ms": int(heartbeat_seconds * 1000),
                "max.poll.interval.ms": int(max(BUSY_SECONDS, lease_seconds) * 1000),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "latest",
            },
        )
        consumer = self._joined()
        self._thread = threading.Thread(target=self._keep, args=(consumer,), name="heed-assignment", daemon=True)
        self._thread.start()

    def partitions(self) -> frozenset[int]:
        """The partitions that are this worker's now."""
        if self._complaints.hopeless and not self._stop.is_set():
            raise self._connection.refusal("the worker cannot stay in its group", self._complaints.last, Complaints())
        if self._failure is not None and not self._stop.is_set():
            raise LogError(f"{self._connection.log}: the worker has left its group: {self._failure}")
        if self._clock() - self._polled_at > self._silence_seconds:
            return frozenset()
        return self._mine

    def leave(self) -> None:
        """Give the partitions to others at once."""
        self._stop.set()
        self._mine = frozenset()
        self._thread.join(LEAVE_SECONDS)

    def _keep(self, consumer: Consumer) -> None:
        """Keep the membership until `leave`; an error that ends it is raised by the next `partitions()`."""
        try:
            self._poll(consumer)
        except Exception as error:
            self._mine = frozenset()
            self._failure = str(error) or type(error).__name__
            LOGGER.exception("%s: the worker has left its group", self._connection.log)

    def _poll(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            try:
                message = consumer.poll(POLL_SECONDS)
            except KafkaException as error:  # the assignment was outdated before it was applied
                LOGGER.warning("%s: the worker joins its group anew: %s", self._connection.log, words(error))
                consumer = self._rejoined(consumer)
                continue
            if self._clock() - self._polled_at > self._silence_seconds:
                LOGGER.warning("%s: the worker was stopped too long and joins its group anew", self._connection.log)
                consumer = self._rejoined(consumer)
                continue
            self._polled_at = self._clock()
            told = message.error() if message is not None else None
            if told is not None:
                self._complaints(told)
        consumer.close()

    def _rejoined(self, consumer: Consumer) -> Consumer:
        self._mine = frozenset()
        consumer.close()
        consumer = self._joined()
        self._polled_at = self._clock()
        return consumer

    def _joined(self) -> Consumer:
        try:
            consumer = Consumer(self._configuration)
        except KafkaException as error:
            raise SettingsError(f"log_options: {words(error)}") from error
        consumer.subscribe(
            [self._connection.topic], on_assign=self._gain, on_revoke=self._give_up, on_lost=self._give_up
        )
        return consumer

    def _gain(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        at_end = [TopicPartition(each.topic, each.partition, OFFSET_END) for each in partitions]
        consumer.incremental_assign(at_end)
        consumer.pause(at_end)
        if not self._stop.is_set():
            self._mine |= {each.partition for each in partitions}

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._mine -= {each.partition for each in partitions}
        consumer.incremental_unassign(partitions)
