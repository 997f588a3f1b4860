"""Decode: a poll's records become columns with one JSON parse; what cannot be read is parted off line by line."""

from __future__ import annotations

import io
from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from beam_jobs.batch import REFUSED_SCHEMA, Batch, Poll, raw_text
from feedback.admitted import AdmittedEvent
from feedback.errors import Code
from feedback.log import LogRecord
from lakehouse.tables import FEEDBACK_EVENT

BLOCK_BYTES = 1 << 20
_TIMES = ("occurred_at", "received_at")
_LINE_SCHEMA = pa.schema([(c.name, pa.int64() if c.name in _TIMES else c.type) for c in FEEDBACK_EVENT])
_DECODER = msgspec.json.Decoder(AdmittedEvent)


def decode(poll: Poll) -> Batch:
    """Records to columns, keeping each event's place in the log; never raises on what a record holds."""
    lines, places = _lines(poll.records)
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
    refused = () if bad.null_count() == len(bad) else (_refused(lines, bad, places),)
    return Batch(events, poll.start, poll.end, lines, refused)


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
    options = pj.ParseOptions(explicit_schema=_LINE_SCHEMA, unexpected_field_behavior="ignore")
    reading = pj.ReadOptions(block_size=max(BLOCK_BYTES, max(map(len, lines)) + 1))
    try:
        table = pj.read_json(io.BytesIO(data), read_options=reading, parse_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return table.select(_LINE_SCHEMA.names) if table.num_rows == len(lines) else None


def _objection(line: bytes) -> str | None:
    try:
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or "nested too deeply"
    return None


def _arrow_objection(line: bytes) -> str | None:
    return None if _parse([line]) is not None else "a value does not fit its column"


def _with_places(table: pa.Table, places: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    times = [pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in _TIMES]
    return frame.with_columns(times).hstack(places)


def _refused(lines: list[bytes], reasons: pl.Series, places: pl.DataFrame) -> pl.DataFrame:
    bad = reasons.is_not_null()
    raws = [raw_text(line) for line, is_bad in zip(lines, bad, strict=True) if is_bad]
    return (
        places.filter(bad)
        .with_columns(
            pl.lit(str(Code.UNDECODABLE)).alias("code"),
            reasons.drop_nulls().alias("detail"),
            pl.Series("raw", raws, dtype=pl.String),
            *(pl.lit(None, pl.String).alias(name) for name in ("id", "kind", "source")),
        )
        .select(*REFUSED_SCHEMA)
    )
