"""Reading a Kafka log from given positions: one consumer outside every group, with a buffer per partition.

The client fetches ahead in the background; a read returns what has been fetched. It waits only for records that are
known to exist: up to the end seen at the last seek, query of the bounds, or own append. So a reader that has caught up
sends no request, and sees what others append some milliseconds later.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import groupby

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feedback.errors import LogError, LogGap, SettingsError
from feedback.log.kafka.client import HOPELESS, REQUEST_SECONDS, Complaints, Connection, patiently, words
from feedback.log.kafka.record import records_of
from feedback.log.kafka.topic import Topic, TopicFacts
from feedback.log.port import UNLIMITED_BYTES
from feedback.log.records import Records

BUFFER_BYTES = 48 * 1024 * 1024
"""Limit of all buffers together: a partition that is not read must not grow while others are."""

CONSUME_MESSAGES = 10_000
WAIT_SECONDS = 0.05
VERIFY_SECONDS = 5.0
"""How often a reader looks whether the topic is still the same, and gives up partitions that nobody reads any more."""

TUNED = {
    "fetch.wait.max.ms": 50,  # a partition that is taken up waits for the running fetch of the others to end
    "fetch.queue.backoff.ms": 5,  # the default of 1 s leaves a fast reader waiting for its next fetch
    "fetch.message.max.bytes": 4 * 1024 * 1024,
    "queued.max.messages.kbytes": 16 * 1024,
    "queued.min.messages": 200_000,
    "check.crcs": "true",
}

FIXED = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
}

GONE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
OTHER_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)


@dataclass(slots=True)
class _Partition:
    position: int
    """Where the next read should start, if it goes on where the last one ended."""

    fetched: int
    """Every record below it has been fetched."""

    ended_at: int = -1
    """The end that the broker last reported, above the last record's where a foreign producer uses transactions."""

    records: Records = field(default_factory=Records)
    events: int = 0
    size: int = 0
    paused: bool = False
    read_at: float = 0.0

    def push(self, more: Records) -> None:
        """Take records that follow those that are there; what was fetched before is left out."""
        if more.offsets[0] < self.fetched:
            more = more[bisect_left(more.offsets, self.fetched) :]
        if more:
            self.records.extend(more)
            self.fetched = more.offsets[-1] + 1
            self.events += sum(more.counts)
            self.size += sum(map(len, more.values))

    def pop(self, count: int) -> Records:
        """Remove and return so many records from the front."""
        taken = self.records.take(count)
        if taken:
            self.position = taken.offsets[-1] + 1
            self.events -= sum(taken.counts)
            self.size -= sum(map(len, taken.values))
        return taken


class KnownEnds:
    """The highest end known of each partition; updated by appends and by queries of the bounds."""

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}
        self._lock = threading.Lock()

    def note(self, partition: int, end: int) -> None:
        """Every offset below `end` is there."""
        with self._lock:
            self._ends[partition] = max(end, self._ends.get(partition, 0))

    def of(self, partition: int) -> int:
        """The highest end noted."""
        return self._ends.get(partition, 0)


class KafkaReader:
    """Reads partitions of one topic; threads take turns."""

    def __init__(
        self, connection: Connection, topic: Topic, facts: TopicFacts, *, known_ends: KnownEnds, group: str
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._facts = facts
        self._lock = threading.Lock()
        self._states: dict[int, _Partition] = {}
        self._known_ends = known_ends
        self._complaints = Complaints()
        self._verified_at = time.monotonic()
        try:
            # The group's name serves the cluster's access rules; the reader neither joins it nor commits to it.
            fixed = {**FIXED, "group.id": group}
            self._consumer = Consumer(connection.settings(self._complaints, tuned=TUNED, fixed=fixed))
        except KafkaException as error:
            raise SettingsError(f"log_options: {words(error)}") from error

    def read(self, partition: int, offset: int, *, max_events: int, max_bytes: int = UNLIMITED_BYTES) -> Records:
        """Records from `offset` on, at least one if there is one, until `max_events` or `max_bytes` are reached."""
        with self._lock:
            now = time.monotonic()
            if now - self._verified_at >= VERIFY_SECONDS:
                self._verify(now)
            state = self._states.get(partition)
            if state is None or not self._continues(state, offset):
                state = self._seek(partition, offset)
            state.read_at = now
            self._fill(partition, state, max_events, max_bytes)
            return self._take(partition, state, max_events, max_bytes)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._consumer.close()

    def _continues(self, state: _Partition, offset: int) -> bool:
        """Whether fetched records answer a read at `offset`; records before it are dropped."""
        if not state.position <= offset <= state.fetched:
            return False
        state.pop(bisect_left(state.records.offsets, offset))
        state.position = offset
        return True

    def _seek(self, partition: int, offset: int) -> _Partition:
        end = self._check(partition, offset)
        self._forget([partition])
        self._consumer.incremental_assign([TopicPartition(self._connection.topic, partition, offset)])
        state = self._states[partition] = _Partition(position=offset, fetched=offset)
        self._known_ends.note(partition, end)
        return state

    def _check(self, partition: int, offset: int) -> int:
        """The partition's end, once it is proven that the log holds what lies between `offset` and it."""
        first, end = self._watermarks(partition)
        if not first <= offset <= end:
            raise LogGap(
                f"{self._connection.log}, partition {partition}: offset {offset} is asked for, "
                f"but the log holds {first} to {end - 1}"
            )
        return end

    def _watermarks(self, partition: int) -> tuple[int, int]:
        asked = TopicPartition(self._connection.topic, partition)
        try:
            found = patiently(
                lambda: self._consumer.get_watermark_offsets(asked, timeout=REQUEST_SECONDS, cached=False),
                hopeless=lambda: self._complaints.hopeless,
            )
        except KafkaException as error:
            raise self._connection.refusal(f"partition {partition} cannot be read", error, self._complaints) from error
        if found is None:
            raise self._connection.refusal(f"partition {partition} cannot be read", None, self._complaints)
        return found

    def _fill(self, partition: int, state: _Partition, max_events: int, max_bytes: int) -> None:
        """Fetch until there is enough, or nothing more is known to be there."""
        deadline = time.monotonic() + REQUEST_SECONDS
        while state.events < max_events and state.size < max_bytes and not state.paused:
            if self._consume(0.0):
                continue
            if max(state.fetched, state.ended_at) >= self._known_ends.of(partition):
                return
            if self._states.get(partition) is not state:  # dropped, since the broker no longer holds what comes next
                if not state.records:
                    self._check(partition, state.fetched)
                    raise LogError(f"{self._connection.log}: partition {partition} was lost while it was read")
                return
            if time.monotonic() > deadline:
                if not state.records:
                    raise self._connection.refusal(f"partition {partition} cannot be read", None, self._complaints)
                return
            self._consume(WAIT_SECONDS)

    def _consume(self, timeout: float) -> bool:
        """Move what the client has fetched into the buffers; whether there was anything."""
        messages = self._consumer.consume(1 if timeout else CONSUME_MESSAGES, timeout)
        said = list(map(Message.error, messages))
        errors = [(error, message) for error, message in zip(said, messages, strict=True) if error] if any(said) else []
        fetched = records_of([message for message in messages if message.error() is None] if errors else messages)
        at = 0
        for partition, run in groupby(fetched.partitions):
            start, at = at, at + len(list(run))
            state = self._states.get(partition)
            if state is not None:
                state.push(fetched[start:at])
        for error, message in errors:
            self._hear(error, message)
        self._pause_full_buffers()
        return bool(messages)

    def _hear(self, error: KafkaError, message: Message) -> None:
        partition = message.partition()
        code = error.code()
        if code in OTHER_TOPIC:
            self._verify(time.monotonic())
        elif code in HOPELESS or error.fatal():
            raise self._connection.refusal("it cannot be read", error, self._complaints)
        elif partition is None or partition not in self._states:
            return  # whatever else there is, the client tries again by itself; a read that waits in vain tells of it
        elif code == KafkaError._PARTITION_EOF:
            self._states[partition].ended_at = message.offset() or 0
        elif code in GONE:
            self._forget([partition])

    def _take(self, partition: int, state: _Partition, max_events: int, max_bytes: int) -> Records:
        taken = state.pop(state.records.within(max_events=max_events, max_bytes=max_bytes))
        if state.paused and state.size < self._room() // 4:
            self._consumer.resume([TopicPartition(self._connection.topic, partition)])
            state.paused = False
        return taken

    def _room(self) -> int:
        return BUFFER_BYTES // max(1, len(self._states))

    def _pause_full_buffers(self) -> None:
        room = self._room()
        for partition, state in self._states.items():
            if state.size > room and not state.paused:
                self._consumer.pause([TopicPartition(self._connection.topic, partition)])
                state.paused = True

    def _verify(self, now: float) -> None:
        self._topic.verify(self._facts)
        self._verified_at = now
        self._forget([p for p, state in self._states.items() if now - state.read_at > VERIFY_SECONDS])

    def _forget(self, partitions: list[int]) -> None:
        held = [partition for partition in partitions if self._states.pop(partition, None) is not None]
        if held:
            self._consumer.incremental_unassign([TopicPartition(self._connection.topic, p) for p in held])
