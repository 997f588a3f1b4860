"""The threads behind a Kafka log, when an unexpected error is raised in them. No broker is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import feedback.log.kafka.assignment
import feedback.log.kafka.producer
from feedback.errors import LogError
from feedback.log.kafka.assignment import GroupAssignment
from feedback.log.kafka.client import Connection
from feedback.log.kafka.producer import Appender

CONNECTION = Connection("127.0.0.1:1", "heed")


class OddConsumer:
    """Fails at its first poll with an error that is not Kafka's."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        pass

    def subscribe(self, topics: list[str], **heard: Callable[..., None]) -> None:
        pass

    def poll(self, seconds: float) -> None:
        raise RuntimeError("the consumer is in an odd state")


class OddProducer:
    """Fails at its first poll, then answers."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.polls = 0
        self.has_answered = threading.Event()

    def poll(self, seconds: float) -> int:
        self.polls += 1
        if self.polls == 1:
            raise RuntimeError("a report cannot be read")
        self.has_answered.set()
        time.sleep(0.001)
        return 0

    def flush(self, seconds: float) -> int:
        return 0


def test_a_worker_whose_membership_ends_by_any_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback.log.kafka.assignment, "Consumer", OddConsumer)
    assignment = GroupAssignment(CONNECTION, "worker", group="g", lease_seconds=6, clock=time.monotonic)
    assignment._thread.join(10)

    with pytest.raises(LogError, match="has left its group: the consumer is in an odd state"):
        assignment.partitions()

    assignment.leave()
    assert assignment.partitions() == frozenset()


def test_a_producer_goes_on_hearing_reports_after_any_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feedback.log.kafka.producer, "Producer", OddProducer)
    appender = Appender(CONNECTION)

    assert appender._producer.has_answered.wait(10)
    appender.close()

    assert "a report cannot be read" in caplog.text
