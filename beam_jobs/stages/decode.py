"""Decode: a poll's records become columns with one JSON parse; lines that cannot be read are rejected one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from beam_jobs.batch import REFUSED_SCHEMA, Batch, Poll, raw_text
from beam_jobs.stages.limits import LandingLimits, is_line_by_line, long_lines, reject_too_large
from beam_jobs.stages.lines import Lines
from beam_jobs.stages.unknown_fields import keep_unknown_fields
from feedback.admitted import AdmittedEvent
from feedback.bounds import FIRST_LOG_MS, LAST_LOG_MS, believable
from feedback.errors import Code
from feedback.log.records import Records, line_counts
from feedback.log.tracing import traces_of
from lakehouse.evolution import filled_from_attributes
from lakehouse.tables.feedback import FEEDBACK_EVENT

BLOCK_BYTES = 1 << 24
"""A usual poll is one block: several blocks would give chunked columns, which every later stage would have to copy."""

MAX_BLOCK_BYTES = 1 << 26
_TIMES = ("occurred_at", "received_at")
_FIELDS = {c.name: pa.field(c.name, pa.int64() if c.name in _TIMES else c.type) for c in FEEDBACK_EVENT}
_REQUIRED = frozenset(c.name for c in FEEDBACK_EVENT if not c.nullable)
_LINE_SCHEMA = pa.schema(list(_FIELDS.values()))
_DECODER = msgspec.json.Decoder(AdmittedEvent)


class Decoder:
    """Turns polls into batches; keeps track of the fields in use, because Arrow's cost grows with each field of the
    schema."""

    def __init__(self, limits: LandingLimits = LandingLimits()) -> None:  # noqa: B008 - frozen
        self._limits = limits
        self._used = set(_REQUIRED)

    def decode(self, poll: Poll) -> Batch:
        """Records to columns, keeping each event's place in the log; never raises on what a record holds."""
        records, too_large = reject_too_large(poll.records, self._limits)
        refused = [] if too_large is None else [too_large]
        data = b"\n".join(records.values)
        places = _places(records, poll.counts if records is poll.records else ())
        if poll.latest:
            places = places.join(_latest(poll), on=["log_partition", "log_offset"], how="left")
        all_lines: Sequence[bytes] = Lines(data, places.height)
        lines = all_lines
        long = long_lines(lines, records, self._limits)
        if long is not None:
            refused.append(_refused(lines, long, places, Code.TOO_LARGE))
            lines, places = _good(lines, long), places.filter(long.is_null())
            data = b"\n".join(lines)
        table = self._parse(data, lines)
        if table is None:
            table, reasons = self._parse_apart(lines)
            refused.append(_refused(lines, reasons, places, Code.UNDECODABLE))
            places = places.filter(reasons.is_null())
        events = _with_places(table, places)
        return Batch(
            events,
            poll.start,
            poll.end,
            all_lines,
            tuple(refused),
            clocks=poll.clocks or _newest(poll.records),
            eras=poll.eras,
            traces=traces_of(poll.records.headers.values()),
            polled_at=poll.polled_at,
            more=poll.more,
        )

    def _parse_apart(self, lines: Sequence[bytes]) -> tuple[pa.Table, pl.Series]:
        """Decode line by line: the lines that fit the schema, and the reason for each other one (null: it fits)."""
        reasons = pl.Series([_objection(line) for line in lines], dtype=pl.String)
        good = _good(lines, reasons)
        table = self._parse(b"\n".join(good), good)
        if table is None:  # valid for msgspec, not for Arrow: numbers beyond 64 bits, say
            again = [reason or self._arrow_objection(line) for line, reason in zip(lines, reasons, strict=True)]
            reasons = pl.Series(again, dtype=pl.String)
            good = _good(lines, reasons)
            table = self._parse(b"\n".join(good), good)
            assert table is not None
        return table, reasons

    def _parse(self, data: bytes, lines: Sequence[bytes]) -> pa.Table | None:
        """All lines, joined in `data`, in one go with the fields in use; `None` where any line does not fit."""
        if not lines:
            return _LINE_SCHEMA.empty_table()
        if not is_line_by_line(data, lines):
            return None
        while True:
            schema = pa.schema([field for name, field in _FIELDS.items() if name in self._used])
            table = _read(data, schema, unexpected="infer")
            if table is None:  # perhaps an unknown field has values of several types
                table = _complete(_read(data, _LINE_SCHEMA, unexpected="ignore"), len(lines))
                return table if table is None else keep_unknown_fields(table, lines)
            met = set(table.column_names) - self._used
            known = met & _FIELDS.keys()
            if not known:
                table = _complete(table, len(lines))
                return keep_unknown_fields(table, lines) if met and table is not None else table
            self._used |= known  # parse again: Arrow may infer another type for unknown fields

    def _arrow_objection(self, line: bytes) -> str | None:
        fits = self._parse(line, [line]) is not None
        return None if fits else "it is not one JSON object whose values fit their columns"


def decode(poll: Poll, limits: LandingLimits = LandingLimits()) -> Batch:  # noqa: B008 - frozen
    """Decode one poll on its own."""
    return Decoder(limits).decode(poll)


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


def _good(lines: Sequence[bytes], reasons: pl.Series) -> list[bytes]:
    return [line for line, reason in zip(lines, reasons, strict=True) if reason is None]


def _places(records: Records, known_counts: Sequence[int]) -> pl.DataFrame:
    """Where each line stands in the log, and when it was appended."""
    counts = np.array(known_counts or line_counts(records.values), dtype=np.int32)
    rows = pl.DataFrame(
        {
            "log_partition": np.array(records.partitions, np.int32),
            "log_offset": np.array(records.offsets, np.int64),
            "log_count": counts,
            "appended_at": np.array(records.appended_at_ms, np.int64).clip(FIRST_LOG_MS, LAST_LOG_MS),
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


def _latest(poll: Poll) -> pl.DataFrame:
    """Of records whose log time does not move the clock: up to when events are believed, and whether it is doubted."""
    partitions, offsets = zip(*poll.latest, strict=True)
    frame = pl.DataFrame(
        {
            "log_partition": partitions,
            "log_offset": offsets,
            "latest": list(poll.latest.values()),
            "doubted": [place in poll.doubted for place in poll.latest],
        }
    )
    time = pl.from_epoch("latest", time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us")
    return frame.with_columns(pl.col("log_partition").cast(pl.Int32), time)


def _newest(records: Records) -> dict[int, int]:
    """Per partition, the newest time of its records, for a poll whose times nobody has judged."""
    newest: dict[int, int] = {}
    for partition, ms in zip(records.partitions, records.appended_at_ms, strict=True):
        newest[partition] = max(believable(ms), newest.get(partition, FIRST_LOG_MS))
    return newest


def _objection(line: bytes) -> str | None:
    try:
        line.decode()
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or "nested too deeply"
    return None


def _with_places(table: pa.Table, places: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    times = [pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in _TIMES]
    return frame.with_columns(*times, *filled_from_attributes(FEEDBACK_EVENT)).hstack(places)


def _refused(lines: Sequence[bytes], reasons: pl.Series, places: pl.DataFrame, code: Code) -> pl.DataFrame:
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
