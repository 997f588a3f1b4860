"""Request bodies: one event, an array, NDJSON or CloudEvents, taken apart without losing a record to its neighbour."""

from __future__ import annotations

import msgspec

from feedback.web.problem import WrongRequest

JSON_TYPES = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json", ""})
LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
MAX_RECORDS = 50_000
MAX_LINE_ENDS = 4 * MAX_RECORDS
"""Line ends of one body: two for each record where they are carriage return and newline, and as many blank lines."""
MAX_COMMAS = 40 * MAX_RECORDS
"""Commas of an array: more than its events can have fields. Taken apart, millions of tiny values fill the memory;
this many take 150 MiB."""

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def split_body(body: bytes, content_type: str) -> list[bytes]:
    """The records of a request body, each as its own bytes.

    Raises:
        WrongRequest: The body is empty, its type is unknown, or an array is not one.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in JSON_TYPES | LINE_TYPES:
        known = ", ".join(sorted((JSON_TYPES | LINE_TYPES) - {""}))
        raise WrongRequest(415, f"content type {media_type!r} is not taken here", f"send one of {known}")
    stripped = body.strip()
    if not stripped:
        raise WrongRequest(400, "the body is empty", "send an event as JSON, an array of events, or one event a line")
    if media_type in LINE_TYPES:
        records = _lines(stripped)
    elif stripped[:1] == b"[":
        records = _elements(stripped)
    else:
        records = [stripped]
    return records


def _lines(body: bytes) -> list[bytes]:
    """The lines that hold anything; counted before they are taken apart, for a body can be millions of them."""
    if body.count(b"\n") + body.count(b"\r") >= MAX_LINE_ENDS:
        raise _too_many(f"more than {MAX_LINE_ENDS:,} lines")
    records = [line for line in body.splitlines() if line.strip()]
    if len(records) > MAX_RECORDS:
        raise _too_many(f"{len(records):,} records")
    return records


def _too_many(found: str) -> WrongRequest:
    return WrongRequest(
        413,
        f"{found} in one request, the limit is {MAX_RECORDS:,} records",
        "send several requests, or use `heed ingest FILE`",
    )


def _elements(body: bytes) -> list[bytes]:
    if body.count(b",") >= MAX_COMMAS:
        raise _too_many(f"more than {MAX_COMMAS:,} commas")
    try:
        raws = _ARRAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        words = str(error) or "nested too deeply"
        raise WrongRequest(
            400, f"the array is not valid JSON: {words}", "send valid JSON, or NDJSON to part good lines from bad"
        ) from error
    if len(raws) > MAX_RECORDS:
        raise _too_many(f"{len(raws):,} records")
    return [bytes(raw) for raw in raws]
