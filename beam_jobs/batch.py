"""The elements of the landing pipeline: a poll of records, then a batch of events and the rows refused so far."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa

from feedback.admitted import HIDDEN, IDENTITY_FIELDS
from feedback.errors import Code
from feedback.log.records import Records
from lakehouse.commit import LandingBatch
from lakehouse.evolution import absent_columns
from lakehouse.landed.quarantine import MAX_RAW_BYTES
from lakehouse.landed.tables import COORDINATES
from lakehouse.tables.feedback import FEEDBACK, FEEDBACK_DERIVED
from lakehouse.tables.positions import PLACE
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import TableSpec

_IDENTITY_NAMES = tuple(name.encode() for name in IDENTITY_FIELDS)
_IDENTITY = re.compile(
    rb'("(?:' + b"|".join(_IDENTITY_NAMES) + rb')"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|-?[0-9][0-9.eE+-]*)', re.DOTALL
)
"""A raw id's name and value, in text that need not be valid JSON."""

REFUSED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "code": pl.String,
    "detail": pl.String,
    "raw": pl.String,
    "id": pl.String,
    "kind": pl.String,
    "source": pl.String,
    "log_partition": pl.Int32,
    "log_offset": pl.Int64,
    "log_index": pl.Int32,
    "log_count": pl.Int32,
    "landed_on": pl.Date,
}


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll over a worker's partitions: the records, where they start and where reading goes on."""

    records: Records
    start: Mapping[int, int]
    end: Mapping[int, int]
    counts: tuple[int, ...] = ()
    """The lines of each record, where they are known."""
    more: bool = False
    """Whether a partition filled its part of the poll, so that more is waiting."""
    polled_at: float = 0.0
    """When it began, in seconds since 1970."""
    clocks: Mapping[int, int] = field(default_factory=dict)
    """Per partition, what time it is after it (`beam_jobs.stages.log_clock`), in ms since 1970; empty: not judged."""
    eras: Mapping[int, int] = field(default_factory=dict)
    """Per partition that has a clock, its era as it is noted (`PartitionClock.era_note`)."""
    latest: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """By record (partition, offset), the latest time that its events may state, where that is not its log time."""
    doubted: frozenset[tuple[int, int]] = frozenset()
    """Records whose log time is out of bounds; each is in `latest` too."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one poll as columns, in the order of the log, and those refused so far.

    `events` has the columns of `feedback`, `appended_at` (when the log took it) and `line`, the row of `lines`, the
    bytes as they stood in the log. Where the log's clock does not follow the time of a record, `latest` says up to when
    its events are believed, and `doubted` whether that time is out of bounds; both are null for all others.
    """

    events: pl.DataFrame
    start: Mapping[int, int]
    end: Mapping[int, int]
    lines: Sequence[bytes] = ()
    refused: tuple[pl.DataFrame, ...] = field(default=())
    others: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Rows for further tables, by name (`divert`)."""
    clocks: Mapping[int, int] = field(default_factory=dict)
    """Per partition, what time it is after the batch by the log's own times, in ms since 1970 (UTC)."""
    eras: Mapping[int, int] = field(default_factory=dict)
    """Per partition that has a clock, its era as it is noted (`PartitionClock.era_note`)."""
    traces: tuple[str, ...] = ()
    """Trace contexts that its records brought."""
    generation: int = 0
    """The generation of its reader: how often reading had started."""
    polled_at: float = 0.0
    """When its poll began, in seconds since 1970."""
    more: bool = False
    """Whether more was waiting when it was polled."""
    findings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Findings of stages, by stage and type; they are counted once the batch is committed."""

    @property
    def days(self) -> dict[int, date]:
        """Per partition, the earliest UTC day on which known ids are needed.

        That is the day of its first event: a batch of a backlog may span many days, and each event has its own
        window. It is the day of the clock where the clock is behind, or where the batch is empty.
        """
        first = dict(self.events.group_by("log_partition").agg(pl.col("landed_on").min()).iter_rows())
        clocks = {p: datetime.fromtimestamp(ms / 1000, UTC).date() for p, ms in self.clocks.items()}
        return {p: min(day, first.get(p) or day) for p, day in clocks.items()}

    @property
    def is_takeover(self) -> bool:
        """Whether it has no records and only says from which positions a worker starts to read."""
        return self.start == self.end

    @property
    def doubted(self) -> int:
        """How many of the events stand in records whose log time is out of bounds."""
        return int(self.events["doubted"].sum()) if "doubted" in self.events.columns else 0

    def refuse(self, reasons: pl.Series, code: Code, *, keep_raw: bool = True) -> Batch:
        """Move rows that have a reason (null: none) to `refused`, under one code."""
        if reasons.null_count() == len(reasons):
            return self
        broken = self.events.filter(reasons.is_not_null())
        raws = [raw_text(self.lines[row]) if keep_raw else None for row in broken["line"]]
        broken = broken.select(
            pl.lit(str(code)).alias("code"),
            reasons.drop_nulls().alias("detail"),
            pl.Series("raw", raws, dtype=pl.String),
            "id",
            "kind",
            "source",
            *COORDINATES,
        )
        kept = self.events.filter(reasons.is_null())
        return replace(self, events=kept, refused=(*self.refused, broken))

    def divert(self, chosen: pl.Series, spec: TableSpec, *values: pl.Expr) -> Batch:
        """Land the chosen events in another table than `feedback`.

        Args:
            chosen: Which events, true or false for each.
            spec: The table; it has all of `lakehouse.landed.tables.COORDINATES`.
            values: Its columns that events do not have.
        """
        if not chosen.any():
            return self
        taken = self.events.filter(chosen).select(*values, *(n for n in spec.names if n in self.events.columns))
        before = [self.others[spec.name]] if spec.name in self.others else []
        others = {**self.others, spec.name: pl.concat([*before, taken.select(spec.names)])}
        return replace(self, events=self.events.filter(~chosen), others=others)

    def landed_by_another(self) -> Batch:
        """For followers, a batch that somebody else committed: they read it from the tables, as it was judged there."""
        return replace(self, events=self.events.clear(), start=self.end)

    def without(self, places: pl.DataFrame) -> Batch:
        """Without the events at some places (`PLACE`)."""
        if places.is_empty():
            return self
        return replace(self, events=self.events.join(places, on=PLACE, how="anti", maintain_order="left"))

    def counts(self) -> dict[str, int]:
        """How many rows go to each table, by name."""
        others = {name: rows.height for name, rows in self.others.items()}
        return {FEEDBACK.name: self.events.height, QUARANTINE.name: sum(r.height for r in self.refused), **others}

    def codes(self) -> dict[str, int]:
        """How many events did not go to `feedback`, by code; those of a further table by its name."""
        found: Counter[str] = Counter({name: rows.height for name, rows in self.others.items()})
        for refused in self.refused:
            found.update(dict(refused.group_by("code").len().iter_rows()))
        return dict(found)

    def to_commit(self) -> LandingBatch:
        """The rows by table."""
        refused = pl.concat([pl.DataFrame(schema=REFUSED_SCHEMA), *self.refused])
        events = self.events.with_columns(absent_columns(FEEDBACK_DERIVED, self.events.columns))
        return LandingBatch(
            start=self.start,
            end=self.end,
            rows={
                QUARANTINE.name: _arrow(refused.select(QUARANTINE.names)),
                **{name: _arrow(rows.select(TABLES[name].names)) for name, rows in self.others.items()},
                FEEDBACK.name: _arrow(events.select(FEEDBACK.names)),
            },
            clocks=self.clocks,
            eras=self.eras,
        )


def raw_text(line: bytes) -> str:
    """A refused line as it is kept for repair: cut at a limit, and without raw ids of persons."""
    kept = line[:MAX_RAW_BYTES]
    if any(name in kept for name in _IDENTITY_NAMES):
        kept = _IDENTITY.sub(rb'\1"' + HIDDEN.encode() + rb'"', kept)
    return kept.decode("utf-8", "replace")


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
