"""Admitted lines for tests, and a log record of them, as a producer writes that bypasses the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from beam_jobs.batch import Poll
from feedback.log.port import FeedbackLog, LogRecord, NewRecord
from feedback.log.records import Records
from tests.conftest import NOW

SUBJECT = "a" * 32
EVENT: dict[str, Any] = {
    "v": 1, "id": "e", "kind": "click", "subject": SUBJECT, "item_id": "i", "occurred_at": 0, "received_at": 0,
    "source": "direct",
}  # fmt: skip


def line(**changes: Any) -> bytes:
    fields = {name: value for name, value in {**EVENT, **changes}.items() if value is not ...}
    return msgspec.json.encode(fields)


def poll(*lines: bytes, at: datetime = NOW) -> Poll:
    record = LogRecord(0, 0, int(at.timestamp() * 1000), len(lines), b"\n".join(lines))
    return Poll(Records.of([record]), {0: 0}, {0: 1})


def append(log: FeedbackLog, *lines: bytes, partition: int = 0, at: datetime | None = None) -> None:
    log.append([NewRecord(partition, b"\n".join(lines), len(lines))], now=at or datetime.now(UTC))
