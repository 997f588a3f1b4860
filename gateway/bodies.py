"""Request bodies: split one event, an array, NDJSON or CloudEvents into records; a broken record does not affect
others.

Unsupported bodies are refused with their name: compressed, not UTF-8, CloudEvents in binary mode.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from web.problem import WrongRequest

JSON_TYPES = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json", ""})
LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
MAX_RECORDS = 50_000
MAX_LINE_ENDS = 4 * MAX_RECORDS
"""Line ends of one body: two for each record where they are carriage return and newline, and as many blank lines."""
MAX_COMMAS = 40 * MAX_RECORDS
"""Most commas in an array. Millions of tiny values would fill the memory when parsed; this many take 150 MiB."""

CLOUD_EVENTS = "application/cloudevents"
BOM = b"\xef\xbb\xbf"
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "a ZIP archive",
    b"\xff\xfe": "UTF-16 or UTF-32",
    b"\xfe\xff": "UTF-16",
    b"PAR1": "Parquet",
}
"""How bodies begin that are not UTF-8 text."""
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii", ""})

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENVELOPE = msgspec.json.Decoder(dict[str, msgspec.Raw])


def refuse_encoded(headers: Mapping[str, str]) -> None:
    """Refuse a compressed body by its header, before it is read.

    Raises:
        WrongRequest: The body has a content coding.
    """
    codings = [coding.strip() for coding in headers.get("content-encoding", "").lower().split(",")]
    named = ", ".join(coding for coding in codings if coding not in ("", "identity"))
    if named:
        raise WrongRequest(
            415,
            f"Content-Encoding {named!r} is not taken here",
            "send the body as it is, uncompressed",
            headers={"Accept-Encoding": "identity"},
        )


def refuse_binary_mode(headers: Mapping[str, str], body: bytes) -> None:
    """Refuse a CloudEvent whose attributes are in headers: they would be lost. An envelope in the body counts alone.

    Raises:
        WrongRequest: There are `ce-` headers and no envelope.
    """
    content_type = headers.get("content-type", "").strip().lower()
    found = [name for name in ("ce-specversion", "ce-id", "ce-type", "ce-source") if name in headers]
    if found and not content_type.startswith(CLOUD_EVENTS) and not _is_envelope(body):
        raise WrongRequest(
            415,
            f"CloudEvents in binary mode ({', '.join(found)} as headers) are not taken here",
            "send structured mode: Content-Type application/cloudevents+json, the attributes and `data` in the body",
        )


def _is_envelope(body: bytes) -> bool:
    try:
        return "specversion" in _ENVELOPE.decode(body.removeprefix(BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def split_body(body: bytes, content_type: str) -> list[bytes]:
    """The records of a request body, each as its own bytes.

    Raises:
        WrongRequest: The body is empty, its type is unknown, or an array is not one.
    """
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if media_type not in JSON_TYPES | LINE_TYPES:
        known = ", ".join(sorted((JSON_TYPES | LINE_TYPES) - {""}))
        raise WrongRequest(415, f"content type {media_type!r} is not taken here", f"send one of {known}")
    _refuse_other_text(body, parameters)
    stripped = body.removeprefix(BOM).strip()
    if not stripped:
        raise WrongRequest(400, "the body is empty", "send an event as JSON, an array of events, or one event a line")
    if media_type in LINE_TYPES:
        records = _lines(stripped)
    elif stripped[:1] == b"[":
        records = _elements(stripped)
    else:
        records = [stripped]
    return records


def _refuse_other_text(body: bytes, parameters: list[str]) -> None:
    """Refuse a body that is not UTF-8 text, naming its encoding."""
    charset = next((p.partition("=")[2].strip(" \"'") for p in parameters if p.startswith("charset")), "")
    form = next((name for start, name in MAGIC.items() if body.startswith(start)), None)
    if form is None and b"\0" in body[:4]:
        form = "UTF-16 or UTF-32"
    if form is None and charset not in _UTF8 and not body.isascii():
        form = charset
    if form is not None:
        raise WrongRequest(415, f"the body is {form}, which is not taken here", "send UTF-8 text, uncompressed")


def _lines(body: bytes) -> list[bytes]:
    """The lines that are not blank; counted before they are split, since a body can have millions."""
    if body.count(b"\n") + body.count(b"\r") >= MAX_LINE_ENDS:
        raise _too_many(f"more than {MAX_LINE_ENDS:,} lines")
    if BOM in body:  # concatenated files have several byte-order marks
        body = body.replace(b"\n" + BOM, b"\n").replace(b"\r" + BOM, b"\r")
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
