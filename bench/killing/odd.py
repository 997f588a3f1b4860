"""Lines of a producer that bypasses the gateway: malformed events, and impossible log times."""

from __future__ import annotations

import json
import random
from datetime import datetime
from typing import Any, cast

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from feedback.log.port import FeedbackLog, NewRecord

MARK = "poison"
SUBJECT = "b0" * 16
DAY_SECONDS = 86_400.0
PAYLOADS: tuple[tuple[str, str | None], ...] = (
    ("consent", "{denied"),
    ("consent", "[]"),
    ("consent", '{"denied":null}'),
    ("consent", '{"granted":["everything"]}'),
    ("identify", None),
    ("identify", '{"anonymous_subject":"visitor"}'),
    ("item", '{"title":7}'),
    ("item", "null"),
    ("profile", '{"traits":"none"}'),
    ("survey", '{"choices":{}}'),
)
"""Kinds, and payloads that they cannot have."""

SECONDS_OFF = (-3650 * DAY_SECONDS, -63 * 3600.0, -7200.0, 20 * DAY_SECONDS, 3650 * DAY_SECONDS)
"""By how much a producer's clock is off, where it is not its unit that is wrong."""
UNITS = (1e-3, 1e3)
"""Seconds or microseconds, taken for milliseconds."""


def poison(number: int) -> bytes:
    """A malformed line: not an admitted event, or with a payload that its kind cannot have."""
    which = number % (len(PAYLOADS) + 1)
    if which == 0:
        return b'{"poison": %d' % number
    kind, payload = PAYLOADS[which - 1]
    fields: dict[str, Any] = {"v": 1, "id": f"{MARK}-{number}", "kind": kind, "source": "bench"}
    fields |= {"item_id": "1"} if kind == "item" else {"subject": SUBJECT}
    fields |= {"label": "choice"} if kind == "survey" else {}
    fields |= {"occurred_at": 0, "received_at": 0} | ({"payload": payload} if payload is not None else {})
    return json.dumps(fields).encode()


def is_poison(line: bytes) -> bool:
    """Whether a line of the log is malformed."""
    return line.startswith((b'{"poison"', b'{"v": 1, "id": "poison-'))


class OddTime:
    """A time for `FeedbackLog.append` that no calendar may hold."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def timestamp(self) -> float:
        """Seconds since 1970."""
        return self._seconds


def odd_seconds(now: datetime, rng: random.Random) -> float:
    """A log time that a wrong clock or a wrong unit makes of now, in seconds since 1970."""
    seconds = now.timestamp()
    off = rng.choice((*SECONDS_OFF, *UNITS))
    return seconds * off if off in UNITS else max(0.0, seconds + off)


def append_at(log: FeedbackLog, record: NewRecord, seconds: float) -> None:
    """Append a record with a log time of its own.

    Raises:
        LogError: The log refused.
    """
    log.append([record], now=cast("datetime", OddTime(seconds)))


def make_topic(address: str, topic: str, *, partitions: int) -> None:
    """A topic whose records have their producers' times, whatever those are."""
    config = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": str((1 << 63) - 1),
        "retention.ms": "-1",
    }
    made = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
    admin = AdminClient({"bootstrap.servers": address})  # kept until the answer is there: else it is _DESTROY
    admin.create_topics([made])[topic].result(timeout=30)


def keep_producers_times() -> None:
    """In this process, leave a topic's times to its producers, as where Heed may not change the topic."""
    from feedback.log.kafka import topic as kafka_topic

    kafka_topic.use_brokers_clock = lambda *_: False  # type: ignore[attr-defined]
