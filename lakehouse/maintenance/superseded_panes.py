"""Rewrite a closed day of `signals` without the panes that later ones replaced."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from feedback.errors import LakeError
from lakehouse.data_files import write_files
from lakehouse.lake import Lake
from lakehouse.maintenance.checkpoints import NO_CHECKPOINT
from lakehouse.tables.windows import SIGNALS
from lakehouse.window_table import latest_panes

SLICE = timedelta(minutes=10)
"""What is read at once: a busy day has tens of millions of panes, and a busy hour too many for maintenance's memory."""
FILE_BYTES = 64 * 1024 * 1024
"""About how much is kept in memory for one file; files that are small in the end are put together as any others."""


class Rewritten(NamedTuple):
    """Panes removed, and the day's files and bytes before and after."""

    rows_dropped: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def keep_latest_panes(lake: Lake, day: date, *, at: datetime) -> Rewritten:
    """Rewrite one day of windows; panes that are appended meanwhile stay. Only maintenance, behind its lock, may do so.

    Args:
        lake: Where.
        day: UTC day on which the windows start.
        at: Modification time to note for the data files.

    Raises:
        CommitFailedError: Rows of the day were deleted in the meantime; nothing is changed.
        LakeError: The table cannot be read, or has columns that this release does not know.
    """
    table = lake.table(SIGNALS)
    if unknown := sorted({field.name for field in table.schema().fields} - set(SIGNALS.names)):
        raise LakeError(f"table signals: {day} is left as it is, for a newer release has added {', '.join(unknown)}")
    files = pa.table(table.get_add_actions(flatten=True)).filter(_is_of(day))
    sizes = [int(size or 0) for size in files["size_bytes"].to_pylist()]
    mine = lake.scan(SIGNALS, version=table.version()).filter(pl.col("window_on") == day)
    adds, dropped = _write_latest(lake, mine, day, at=at)
    table.create_write_transaction(
        actions=list(adds),
        mode="overwrite",
        schema=table.schema(),
        partition_by=list(SIGNALS.partition_by),
        partition_filters=[(SIGNALS.partition_by[0], "=", day.isoformat())],
        post_commithook_properties=NO_CHECKPOINT,
    )
    return Rewritten(dropped, len(sizes), len(adds), sum(sizes), sum(add.size for add in adds))


def _write_latest(lake: Lake, panes_of_day: pl.LazyFrame, day: date, *, at: datetime) -> tuple[list[AddAction], int]:
    """Write the latest pane of each window to new files, a slice of the day at a time; how many panes are dropped."""
    adds: list[AddAction] = []
    waiting: list[pl.DataFrame] = []
    dropped = 0
    start = datetime.combine(day, time(), UTC)
    while start.date() == day:
        within = pl.col("window_start").is_between(start, start + SLICE, closed="left")
        with lake.reading(SIGNALS):
            panes = panes_of_day.filter(within).collect()
        latest = latest_panes(panes.lazy()).sort("size_seconds", "scope", "key", "window_start").collect()
        dropped += panes.height - latest.height
        waiting.append(latest)
        start += SLICE
        if start.date() > day or sum(frame.estimated_size() for frame in waiting) >= FILE_BYTES:
            adds += write_files(lake, SIGNALS, pl.concat(waiting).to_arrow(), at=at)
            waiting = []
    return adds, dropped


def _is_of(day: date) -> pc.Expression:
    return pc.field(f"partition.{SIGNALS.partition_by[0]}") == pa.scalar(day)
