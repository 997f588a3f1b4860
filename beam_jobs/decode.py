"""Decode: a poll's records become columns with one JSON parse; what cannot be read is parted off line by line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from beam_jobs.batch import REFUSED_SCHEMA, Batch, Poll, raw_text
from beam_jobs.limits import LandingLimits, is_line_by_line, long_lines, part_off_records
from beam_jobs.unknown_fields import keep_unknown_fields
from feedback.admitted import AdmittedEvent
from feedback.errors import Code
from feedback.log import LogRecord
from lakehouse.evolution import filled_from_attributes
from lakehouse.tables import FEEDBACK_EVENT

BLOCK_BYTES = 1 << 20
_TIMES = ("occurred_at", "received_at")
_LINE_SCHEMA = pa.schema([(c.name, pa.int64() if c.name in _TIMES else c.type) for c in FEEDBACK_EVENT])
_DECODER = msgspec.json.Decoder(AdmittedEvent)


def decode(poll: Poll, limits: LandingLimits = LandingLimits()) -> Batch:  # noqa: B008 - frozen
    """Records to columns, keeping each event's place in the log; never raises on what a record holds."""
    records, too_large = part_off_records(poll.records, limits)
    all_lines, places = _lines(records)
    refused = [] if too_large is None else [too_large]
    lines = all_lines
    long = long_lines(lines, limits)
    if long is not None:
        refused.append(_refused(lines, long, places, Code.TOO_LARGE))
        lines = [line for line, reason in zip(lines, long, strict=True) if reason is None]
        places = places.filter(long.is_null())
    table = _parse(lines) if lines else _LINE_SCHEMA.empty_table()
    reasons: list[str | None] = [None] * len(lines)
    if table is None:
        reasons = [_objection(line) for line in lines]
        good = [line for line, reason in zip(lines, reasons, strict=True) if reason is None]
        table = _parse(good) if good else _LINE_SCHEMA.empty_table()
        if table is None:  # valid for msgspec, not for Arrow: numbers beyond 64 bits, say
            reasons = [reason or _arrow_objection(line) for line, reason in zip(lines, reasons, strict=True)]
            good = [line for line, reason in zip(lines, reasons, strict=True) if reason is None]
            table = (_parse(good) if good else None) or _LINE_SCHEMA.empty_table()
    bad = pl.Series(reasons, dtype=pl.String)
    events = _with_places(table, places.filter(bad.is_null()))
    if bad.null_count() < len(bad):
        refused.append(_refused(lines, bad, places, Code.UNDECODABLE))
    return Batch(events, poll.start, poll.end, all_lines, tuple(refused))


def _lines(records: Sequence[LogRecord]) -> tuple[list[bytes], pl.DataFrame]:
    split = [record.value.split(b"\n") for record in records]
    counts = np.array([len(lines) for lines in split], dtype=np.int32)
    starts = np.concatenate([[0], counts.cumsum()[:-1]]) if len(counts) else counts
    appended = np.array([record.appended_at_ms for record in records], dtype=np.int64)
    places = pl.DataFrame(
        {
            "log_partition": np.repeat(np.array([r.partition for r in records], dtype=np.int32), counts),
            "log_offset": np.repeat(np.array([r.offset for r in records], dtype=np.int64), counts),
            "log_index": (np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.int32),
            "log_count": np.repeat(counts, counts),
            "appended_at": np.repeat(appended, counts),
        }
    ).with_columns(pl.from_epoch("appended_at", time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))
    lines = [line for chunk in split for line in chunk]
    return lines, places.with_columns(pl.col("appended_at").dt.date().alias("landed_on")).with_row_index("line")


def _parse(lines: list[bytes]) -> pa.Table | None:
    """All lines in one go; `None` where any line does not fit."""
    data = b"\n".join(lines)
    if not is_line_by_line(data, lines):
        return None
    block_bytes = max(BLOCK_BYTES, max(map(len, lines)) + 1)
    table = _read(data, block_bytes, unknown_fields="error")
    if table is None:
        table = _read(data, block_bytes, unknown_fields="ignore")
        if table is not None and table.num_rows == len(lines):
            table = keep_unknown_fields(table, lines)
    return table if table is not None and table.num_rows == len(lines) else None


def _read(data: bytes, block_bytes: int, *, unknown_fields: Literal["error", "ignore"]) -> pa.Table | None:
    options = pj.ParseOptions(explicit_schema=_LINE_SCHEMA, unexpected_field_behavior=unknown_fields)
    reading = pj.ReadOptions(block_size=block_bytes)
    try:
        table = pj.read_json(io.BytesIO(data), read_options=reading, parse_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return table.select(_LINE_SCHEMA.names)


def _objection(line: bytes) -> str | None:
    try:
        line.decode()
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or "nested too deeply"
    return None


def _arrow_objection(line: bytes) -> str | None:
    return None if _parse([line]) is not None else "it is not one JSON object whose values fit their columns"


def _with_places(table: pa.Table, places: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    times = [pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in _TIMES]
    return frame.with_columns(*times, *filled_from_attributes(FEEDBACK_EVENT)).hstack(places)


def _refused(lines: list[bytes], reasons: pl.Series, places: pl.DataFrame, code: Code) -> pl.DataFrame:
    bad = reasons.is_not_null()
    raws = [raw_text(line) for line, is_bad in zip(lines, bad, strict=True) if is_bad]
    return (
        places.filter(bad)
        .with_columns(
            pl.lit(str(code)).alias("code"),
            reasons.drop_nulls().alias("detail"),
            pl.Series("raw", raws, dtype=pl.String),
            *(pl.lit(None, pl.String).alias(name) for name in ("id", "kind", "source")),
        )
        .select(*REFUSED_SCHEMA)
    )
