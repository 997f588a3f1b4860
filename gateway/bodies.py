"""Request bodies: one event, an array, NDJSON or CloudEvents, taken apart without losing a record to its neighbour."""

from __future__ import annotations

import msgspec

from feedback.web.problem import WrongRequest

JSON_TYPES = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json", ""})
LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
MAX_RECORDS = 50_000

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
        records = [line for line in stripped.splitlines() if line.strip()]
    elif stripped[:1] == b"[":
        records = _elements(stripped)
    else:
        records = [stripped]
    if len(records) > MAX_RECORDS:
        detail = f"{len(records):,} records in one request, the limit is {MAX_RECORDS:,}"
        raise WrongRequest(413, detail, "send several requests, or use `heed ingest FILE`")
    return records


def _elements(body: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _ARRAY.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        words = str(error) or "nested too deeply"
        raise WrongRequest(
            400, f"the array is not valid JSON: {words}", "send valid JSON, or NDJSON to part good lines from bad"
        ) from error
