"""Limits: lines and records that are too large are rejected before any parser sees them, so that memory stays bounded.

The gateway holds these limits for its senders; here they hold for producers that write to the log themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from beam_jobs.batch import REFUSED_SCHEMA, raw_text
from feedback.bounds import believable
from feedback.errors import Code
from feedback.log.records import Records
from feedback.settings.landing import AdmissionSettings, LandingSettings

NEWLINE, OPENING, CLOSING = b"\n{}"
PIECE_BYTES = 1 << 18
"""Fits into a core's cache together with its masks."""


@dataclass(frozen=True, slots=True)
class LandingLimits:
    """The largest line and the largest record that landing parses; the settings of the same names."""

    max_event_bytes: int = AdmissionSettings().max_event_bytes
    max_record_bytes: int = LandingSettings().max_record_bytes
    max_record_events: int = LandingSettings().max_record_events


def landing_limits(admission: AdmissionSettings, landing: LandingSettings) -> LandingLimits:
    """The limits that the settings name."""
    return LandingLimits(admission.max_event_bytes, landing.max_record_bytes, landing.max_record_events)


def reject_too_large(records: Records, limits: LandingLimits) -> tuple[Records, pl.DataFrame | None]:
    """Reject records that are too large as a whole; each becomes one refused row, and counts as one event."""
    if max(map(len, records.values), default=0) <= min(limits.max_record_bytes, limits.max_record_events):
        return records, None  # a line takes a byte at least, its newline
    details = [_record_objection(value, limits) for value in records.values]
    if not any(details):
        return records, None
    kept = Records.of(record for record, detail in zip(records, details, strict=True) if detail is None)
    rows = [
        {
            "code": str(Code.TOO_LARGE),
            "detail": detail,
            "raw": raw_text(record.value),
            "log_partition": record.partition,
            "log_offset": record.offset,
            "log_index": 0,
            "log_count": 1,
            "appended_at": believable(record.appended_at_ms),
        }
        for record, detail in zip(records, details, strict=True)
        if detail is not None
    ]
    refused = pl.DataFrame(rows, schema_overrides={"appended_at": pl.Int64}).with_columns(
        pl.from_epoch("appended_at", time_unit="ms").dt.date().alias("landed_on"),
        *(pl.lit(None, pl.String).alias(name) for name in ("id", "kind", "source")),
    )
    return kept, refused.select(pl.col(name).cast(type_) for name, type_ in REFUSED_SCHEMA.items())


def _record_objection(value: bytes, limits: LandingLimits) -> str | None:
    if len(value) > limits.max_record_bytes:
        return f"the record holds {len(value):,} bytes, the limit is {limits.max_record_bytes:,}"
    if len(value) <= limits.max_record_events:
        return None
    count = value.count(b"\n") + 1
    if count > limits.max_record_events:
        return f"the record holds {count:,} lines, the limit is {limits.max_record_events:,}"
    return None


def long_lines(lines: Sequence[bytes], records: Records, limits: LandingLimits) -> pl.Series | None:
    """The reasons of lines that are too long (null: it fits), or `None` if all fit."""
    limit = limits.max_event_bytes
    if max(map(len, records.values), default=0) <= limit or max(map(len, lines)) <= limit:
        return None
    words = [f"{len(line):,} bytes, the limit is {limit:,}" if len(line) > limit else None for line in lines]
    return pl.Series(words, dtype=pl.String)


def _newlines_between_objects(data: bytes) -> int | None:
    """How many newlines there are, if each stands between a closing and an opening brace; none first or last.

    Piece by piece: masks for all of it at once would take megabytes of new memory, and three times as long.
    """
    text = np.frombuffer(data, np.uint8)
    marks = np.empty(PIECE_BYTES, np.bool_)
    count = 0
    for start in range(0, len(text), PIECE_BYTES):
        piece = text[start : start + PIECE_BYTES]
        ends = start + np.flatnonzero(np.equal(piece, NEWLINE, out=marks[: len(piece)]))
        if not ((text[ends - 1] == CLOSING).all() and (text[ends + 1] == OPENING).all()):
            return None
        count += len(ends)
    return count


def is_line_by_line(data: bytes, lines: Sequence[bytes]) -> bool:
    """Whether each line can only be one JSON object in UTF-8, `data` being all of them joined by newlines.

    Arrow parses across lines and accepts any bytes as text: two objects in one line next to an empty line would
    count as two lines, and a byte that is not UTF-8 would land and break readers.
    """
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
    if data[:1] == b"{" and data[-1:] == b"}" and _newlines_between_objects(data) == len(lines) - 1:
        return True
    stripped = (line.strip() for line in lines)  # white space around an object is fine, such as a carriage return
    return all(line[:1] == b"{" and line[-1:] == b"}" for line in stripped)
