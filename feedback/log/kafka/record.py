"""A record as a Kafka message: the lines are the value, everything else is headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from confluent_kafka import Message

from feedback.log.records import Headers, Records, line_counts

COUNT = "heed-count"
"""Header with the number of events, where the value's lines do not show it."""


_LINE_ENDS = frozenset({b"\n", b"\r"})


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


def records_of(messages: Sequence[Message]) -> Records:
    """Messages, none of them an error, as the log's records; each counts as one event at least, whoever wrote it."""
    values = [value or b"" for value in map(Message.value, messages)]
    counts = line_counts(values)
    headers: dict[int, Headers] = {}
    said: dict[int, int | None] = {}
    for place, sent in enumerate(map(Message.headers, messages)):
        if sent:
            beside, said[place] = _read(cast("list[tuple[str, bytes | None]]", sent))
            if beside:
                headers[place] = beside
    for place, value in enumerate(values):
        if value[-1:] in _LINE_ENDS and said.get(place) is None:
            values[place], counts[place] = lines_of(value)
    for place, count in said.items():
        counts[place] = count or counts[place]
    return Records(
        cast("list[int]", list(map(Message.partition, messages))),  # a message that was fetched has a place
        cast("list[int]", list(map(Message.offset, messages))),
        [written_ms for _, written_ms in map(Message.timestamp, messages)],
        counts,
        values,
        headers,
    )


def _read(sent: list[tuple[str, bytes | None]]) -> tuple[Headers, int | None]:
    """Headers without the count, and the count if one says a number above zero."""
    counts = [content for name, content in sent if name == COUNT]
    last = counts[-1] if counts else None
    count = int(last) if last is not None and last.isdigit() and len(last) < 10 else 0
    return tuple((name, content or b"") for name, content in sent if name != COUNT), count or None
