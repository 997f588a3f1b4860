"""Rows that landed between two positions, in the order of the log and in parts of bounded size.

The rows are counted first, by short ranges of offsets. A part is then read by its range and by the days on which its
rows landed, so that a part of a large table looks at a few files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from lakehouse.lake import Lake
from lakehouse.landed.positions import Spans, within
from lakehouse.tables.feedback import FEEDBACK

PART_ROWS = 100_000
"""Rows that are held at once, unless one range of offsets has more."""
RANGES = 16_384
"""Into how many ranges the offsets of a partition are cut at most, to count their rows."""


@dataclass(frozen=True, slots=True)
class Part:
    """A range of offsets of one partition, and what is known of its rows."""

    partition: int
    start: int
    end: int
    rows: int = 0
    first_day: date | None = None
    last_day: date | None = None


def landed_parts(lake: Lake, missing: Spans, *, part_rows: int = PART_ROWS) -> list[Part]:
    """The parts of what landed between two positions of each partition; every part but a partition's last has rows.

    Raises:
        LakeError: The table cannot be read.
    """
    if not missing:
        return []
    if not lake.exists(FEEDBACK):
        return [Part(partition, start, end) for partition, (start, end) in missing.items()]
    counted = [
        lake.scan(FEEDBACK)
        .filter(within({partition: span}))
        .group_by(number=(pl.col("log_offset") - span[0]) // range_length(span))
        .agg(rows=pl.len(), first=pl.col("landed_on").min(), last=pl.col("landed_on").max())
        for partition, span in missing.items()
    ]
    with lake.reading(FEEDBACK):
        counts = pl.collect_all(counted, engine="streaming")
    return [
        part
        for (partition, span), ranges in zip(missing.items(), counts, strict=True)
        for part in joined(partition, span, ranges.sort("number").rows(), part_rows=part_rows)
    ]


def read_part(lake: Lake, part: Part, columns: Sequence[str]) -> pl.DataFrame:
    """The rows of one part.

    Raises:
        LakeError: The table cannot be read.
    """
    if part.rows == 0:
        empty = pl.from_arrow(FEEDBACK.schema.empty_table())
        assert isinstance(empty, pl.DataFrame)
        return empty.select(columns)
    is_mine = within({part.partition: (part.start, part.end)})
    days = pl.col("landed_on").is_between(pl.lit(part.first_day), pl.lit(part.last_day))
    with lake.reading(FEEDBACK):
        return lake.scan(FEEDBACK).filter(days & is_mine).select(columns).collect(engine="streaming")


def range_length(span: tuple[int, int]) -> int:
    """How many offsets are counted together."""
    return -(-(span[1] - span[0]) // RANGES)


def joined(
    partition: int, span: tuple[int, int], ranges: Sequence[tuple[int, int, date, date]], *, part_rows: int
) -> Iterator[Part]:
    """Parts of a partition that cover its span without a gap, of as many ranges as fit.

    Args:
        partition: Of the log.
        span: The first offset and the one after the last.
        ranges: (number, rows, first day, last day) of the ranges that have rows, in order.
        part_rows: What a part holds at most, unless one range has more.
    """
    length = range_length(span)
    start = span[0]
    rows, first, last = 0, date.max, date.min
    for number, count, from_day, to_day in ranges:
        if rows and rows + count > part_rows:
            at = span[0] + number * length
            yield Part(partition, start, at, rows, first, last)
            start, rows, first, last = at, 0, date.max, date.min
        rows += count
        first, last = min(first, from_day), max(last, to_day)
    yield Part(partition, start, span[1], rows, first if rows else None, last if rows else None)
