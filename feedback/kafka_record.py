"""A record as Kafka carries it: the lines as the value, what lies beside them as headers."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Message

from feedback.log import Headers, LogRecord

COUNT = "heed-count"
"""Header with the number of events, where the value's lines do not show it."""


def lines_of(value: bytes) -> tuple[bytes, int]:
    """A foreign producer's value without its last line end, and how many lines that is."""
    body = value.removesuffix(b"\n").removesuffix(b"\r")
    return body, body.count(b"\n") + 1


def headers_for(value: bytes, count: int, headers: Headers) -> list[tuple[str, str | bytes | None]]:
    """The headers to send, so that the record comes back as it goes in."""
    sent: list[tuple[str, str | bytes | None]] = [*headers]
    if lines_of(value) != (value, count):
        sent.append((COUNT, str(count).encode()))
    return sent


def record_of(message: Message) -> LogRecord:
    """A message as the log's record; whatever a producer did, it counts as one event at least."""
    value = message.value() or b""
    beside: Headers = ()
    count: int | None = None
    sent = message.headers()
    if sent:
        beside, count = _read(cast("list[tuple[str, bytes | None]]", sent))
    if count is None:
        value, count = lines_of(value)
    _, written_ms = message.timestamp()
    # A message that was fetched has a place.
    return LogRecord(cast("int", message.partition()), cast("int", message.offset()), written_ms, count, value, beside)


def _read(sent: list[tuple[str, bytes | None]]) -> tuple[Headers, int | None]:
    """Headers without the count, and the count if one says a number above zero."""
    counts = [content for name, content in sent if name == COUNT]
    last = counts[-1] if counts else None
    count = int(last) if last is not None and last.isdigit() and len(last) < 10 else 0
    return tuple((name, content or b"") for name, content in sent if name != COUNT), count or None
