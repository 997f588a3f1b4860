"""The topic behind a Kafka log: made on first use, described, measured and trimmed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import OffsetSpec, TopicDescription  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from feedback.errors import LogError, LogGap
from feedback.log.kafka.client import REQUEST_SECONDS, Admin, Connection, code_of
from feedback.log.kafka.times import BROKERS_CLOCK, OPTION, use_brokers_clock

DAY_MS = 86_400_000
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""The largest record that a topic made by Heed takes, twice what one request to the gateway may bring."""

INCARNATIONS = 1 << 62

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """Facts of a topic that must not change while a process uses it."""

    partitions: int
    incarnation: int


def incarnation_of(topic_id: Uuid) -> int:
    """A number from 1 to 2**62 for a topic's id, which a topic made anew does not share."""
    digest = hashlib.sha256(str(topic_id).encode()).digest()
    return int.from_bytes(digest[:8], "big") % INCARNATIONS + 1


class Topic:
    """One topic, through Kafka's admin client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._name = connection.topic
        self._admin = Admin(connection)

    def open(self, *, partitions: int, retention_days: int) -> TopicFacts:
        """The topic's facts; a topic that is not there is made, and one whose times are its producers' is changed.

        Raises:
            LogError: The cluster cannot be reached, or refuses.
        """
        deadline = time.monotonic() + REQUEST_SECONDS
        found = self._describe()
        if found is None:
            self._create(partitions, retention_days)
        else:
            use_brokers_clock(self._admin, self._connection)
        while time.monotonic() < deadline:
            if found is not None and all(each.leader is not None and each.leader.id >= 0 for each in found.partitions):
                return _facts(found)
            time.sleep(0.02)  # made, but not every broker has heard of it
            found = self._describe()
        raise LogError(f"{self._connection.log}: the topic, or a leader for each partition, does not appear")

    def verify(self, known: TopicFacts) -> None:
        """Prove that the topic is still the one that was opened.

        Raises:
            LogGap: It was made anew, or has another number of partitions: positions no longer mean the same.
            LogError: It is gone, or the cluster cannot be reached.
        """
        described = self._describe()
        log = self._connection.log
        if described is None:
            raise LogError(f"{log}: the topic is gone")
        found = _facts(described)
        if found.incarnation != known.incarnation:
            raise LogGap(
                f"{log}: the topic was made anew (incarnation {found.incarnation} instead of "
                f"{known.incarnation}), so the positions in the old one say nothing about it"
            )
        if found.partitions != known.partitions:
            raise LogGap(
                f"{log}: the topic has {found.partitions} partitions instead of "
                f"{known.partitions}; a subject's events would no longer meet in one partition"
            )

    def bounds(self, partitions: int) -> dict[int, tuple[int, int]]:
        """For every partition: the first offset still held and the next one to be written."""
        firsts = self._offsets(OffsetSpec.earliest(), range(partitions))  # type: ignore[no-untyped-call]
        ends = self._offsets(OffsetSpec.latest(), range(partitions))  # type: ignore[no-untyped-call]
        return {partition: (firsts[partition], ends[partition]) for partition in range(partitions)}

    def trim(self, bounds: Mapping[int, tuple[int, int]], *, before_ms: int, keep_from: Mapping[int, int]) -> int:
        """Delete records written before a time, but none at or after `keep_from`; returns how many."""
        young = self._offsets(OffsetSpec.for_timestamp(before_ms), bounds)
        limits: list[TopicPartition] = []
        dropped = 0
        for partition, (first, end) in bounds.items():
            kept = end if young[partition] < 0 else young[partition]
            limit = min(kept, keep_from.get(partition, first))
            if limit > first:
                limits.append(TopicPartition(self._name, partition, limit))
                dropped += limit - first
        if limits:
            self._each(lambda: self._admin.client.delete_records(limits, request_timeout=REQUEST_SECONDS), "trimmed")
        return dropped

    def _describe(self) -> TopicDescription | None:
        asked = TopicCollection([self._name])
        try:
            described: TopicDescription = self._admin.answer(
                lambda: self._admin.client.describe_topics(asked, request_timeout=REQUEST_SECONDS)[self._name],
                "the topic cannot be described",
            )
        except KafkaException as error:
            if code_of(error) == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._admin.refusal("the topic cannot be described", error) from error
        return described

    def _create(self, partitions: int, retention_days: int) -> None:
        topic = NewTopic(
            self._name,
            num_partitions=partitions,
            replication_factor=-1,  # what the cluster does by default
            config={
                "cleanup.policy": "delete",
                "retention.ms": str(retention_days * DAY_MS),
                "max.message.bytes": str(MAX_RECORD_BYTES),
                OPTION: BROKERS_CLOCK,
            },
        )
        try:
            self._admin.answer(
                lambda: self._admin.client.create_topics([topic], request_timeout=REQUEST_SECONDS)[self._name],
                "the topic cannot be made",
            )
        except KafkaException as error:
            if code_of(error) != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was quicker
                raise self._admin.refusal("the topic cannot be made", error) from error

    def _offsets(self, spec: OffsetSpec, partitions: Iterable[int]) -> dict[int, int]:
        asked = {TopicPartition(self._name, partition): spec for partition in partitions}
        found = self._each(lambda: self._admin.client.list_offsets(asked, request_timeout=REQUEST_SECONDS), "measured")
        return {partition: each.offset for partition, each in found.items()}

    def _each(self, ask: Callable[[], dict[TopicPartition, Future[T]]], done: str) -> dict[int, T]:
        """The answers for all partitions; asked for as a whole, again if one of them is busy."""
        try:
            return self._admin.answers(ask, f"its partitions cannot be {done}")
        except KafkaException as error:
            raise self._admin.refusal(f"its partitions cannot be {done}", error) from error


def _facts(described: TopicDescription) -> TopicFacts:
    return TopicFacts(len(described.partitions), incarnation_of(described.topic_id))
