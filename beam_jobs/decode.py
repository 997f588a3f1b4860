"""Decode: a poll's records become columns with one JSON parse; what cannot be read is parted off line by line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

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
MAX_BLOCK_BYTES = 1 << 26
_TIMES = ("occurred_at", "received_at")
_FIELDS = {c.name: pa.field(c.name, pa.int64() if c.name in _TIMES else c.type) for c in FEEDBACK_EVENT}
_REQUIRED = frozenset(c.name for c in FEEDBACK_EVENT if not c.nullable)
_LINE_SCHEMA = pa.schema(list(_FIELDS.values()))
_DECODER = msgspec.json.Decoder(AdmittedEvent)


class Decoder:
    """Turns polls into batches; remembers which fields are in use, because Arrow charges for each it is told of."""

    def __init__(self) -> None:
        self._used = set(_REQUIRED)

    def decode(self, poll: Poll) -> Batch:
        """Records to columns, keeping each event's place in the log; never raises on what a record holds."""
        data = b"\n".join([record.value for record in poll.records])
        lines = data.split(b"\n") if poll.records else []
        places = _places(poll.records)
        day = max_day(places)
        table = self._parse(data, len(lines))
        if table is not None:
            return Batch(_with_places(table, places), poll.start, poll.end, lines, day=day)
        reasons = [_objection(line) for line in lines]
        table = _parse_all(_good(lines, reasons))
        if table is None:  # valid for msgspec, not for Arrow: numbers beyond 64 bits, say
            reasons = [reason or _arrow_objection(line) for line, reason in zip(lines, reasons, strict=True)]
            table = _parse_all(_good(lines, reasons))
            assert table is not None
        bad = pl.Series(reasons, dtype=pl.String)
        events = _with_places(table, places.filter(bad.is_null()))
        refused = () if bad.null_count() == len(bad) else (_refused(lines, bad, places),)
        return Batch(events, poll.start, poll.end, lines, refused, day=day)

    def _parse(self, data: bytes, count: int) -> pa.Table | None:
        """All lines in one go with the fields in use; `None` where any line does not fit."""
        if not count:
            return _LINE_SCHEMA.empty_table()
        if not _is_one_object_per_line(data, count):
            return None
        while True:
            schema = pa.schema([field for name, field in _FIELDS.items() if name in self._used])
            table = _read(data, schema, unexpected="infer")
            if table is None:  # perhaps only fields that nobody knows, of changing types
                return _complete(_read(data, _LINE_SCHEMA, unexpected="ignore"), count)
            met = _FIELDS.keys() & set(table.column_names) - self._used
            if not met:
                return _complete(table, count)
            self._used |= met  # read once more: what Arrow guesses for them may be another type


def decode(poll: Poll) -> Batch:
    """Decode one poll on its own."""
    return Decoder().decode(poll)


def _is_one_object_per_line(data: bytes, count: int) -> bool:
    """Whether every line begins and ends an object, so that as many rows as lines means one for each."""
    return data[:1] == b"{" and data[-1:] == b"}" and data.count(b"}\n{") == count - 1


def _read(data: bytes, schema: pa.Schema, *, unexpected: Literal["ignore", "infer"]) -> pa.Table | None:
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected)
    longest = BLOCK_BYTES
    while True:
        try:
            reading = pj.ReadOptions(block_size=longest)
            return pj.read_json(pa.BufferReader(data), reading, options)  # type: ignore[arg-type]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            if longest > min(len(data), MAX_BLOCK_BYTES) or "straddling" not in str(error):
                return None
            longest *= 16  # a line longer than a block


def _complete(table: pa.Table | None, count: int) -> pa.Table | None:
    """The line schema's columns in its order, null where no line has the field."""
    if table is None or table.num_rows != count:
        return None
    present = set(table.column_names)
    columns = [table.column(f.name) if f.name in present else pa.nulls(count, f.type) for f in _LINE_SCHEMA]
    return pa.table(columns, schema=_LINE_SCHEMA)


def _parse_all(lines: Sequence[bytes]) -> pa.Table | None:
    """Lines that were found good one by one."""
    if not lines:
        return _LINE_SCHEMA.empty_table()
    return _complete(_read(b"\n".join(lines), _LINE_SCHEMA, unexpected="ignore"), len(lines))


def _good(lines: Sequence[bytes], reasons: Sequence[str | None]) -> list[bytes]:
    return [line for line, reason in zip(lines, reasons, strict=True) if reason is None]


def _places(records: Sequence[LogRecord]) -> pl.DataFrame:
    """Where each line stands in the log, and when it was appended."""
    counts = np.fromiter((r.value.count(b"\n") + 1 for r in records), np.int32, len(records))
    rows = pl.DataFrame(
        {
            "log_partition": np.fromiter((r.partition for r in records), np.int32, len(records)),
            "log_offset": np.fromiter((r.offset for r in records), np.int64, len(records)),
            "log_count": counts,
            "appended_at": np.fromiter((r.appended_at_ms for r in records), np.int64, len(records)),
        }
    ).with_columns(pl.from_epoch("appended_at", time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))
    rows = rows.with_columns(pl.col("appended_at").dt.date().alias("landed_on"))
    total = int(counts.sum())
    if total == len(records):
        index = np.zeros(total, dtype=np.int32)
    else:
        starts = counts.cumsum() - counts
        index = (np.arange(total) - np.repeat(starts, counts)).astype(np.int32)
        rows = rows[np.repeat(np.arange(len(records)), counts)]
    return rows.with_columns(pl.Series("log_index", index)).with_row_index("line")


def max_day(places: pl.DataFrame) -> date:
    """The newest day on which the log took one of the lines."""
    newest = places["landed_on"].max()
    return newest if isinstance(newest, date) else date.min


def _objection(line: bytes) -> str | None:
    try:
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or "nested too deeply"
    return None


def _arrow_objection(line: bytes) -> str | None:
    return None if _parse_all([line]) is not None else "a value does not fit its column"


def _with_places(table: pa.Table, places: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    times = [pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in _TIMES]
    return frame.with_columns(times).hstack(places)


def _refused(lines: Sequence[bytes], reasons: pl.Series, places: pl.DataFrame) -> pl.DataFrame:
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
