"""Rewrite a closed day of `signals` without the panes that later ones replaced."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from deltalake.transaction import AddAction

from lakehouse.checkpoints import NO_CHECKPOINT
from lakehouse.data_files import write_files
from lakehouse.lake import Lake
from lakehouse.signals import latest_panes
from lakehouse.tables import SIGNALS

SLICE = timedelta(hours=1)
"""What is in memory at once: a busy day has tens of millions of panes."""


class Rewritten(NamedTuple):
    """What went, and the day's files and their bytes before and after."""

    rows_dropped: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def keep_latest_panes(lake: Lake, day: date, *, at: datetime) -> Rewritten:
    """Rewrite one day of windows; panes that are appended meanwhile stay.

    Args:
        lake: Where.
        day: UTC day on which the windows start.
        at: Modification time to note for the data files.

    Raises:
        CommitFailedError: Somebody else rewrote the day in the meantime; nothing is changed.
        LakeError: The table cannot be read.
    """
    table = lake.table(SIGNALS)
    filters = [(SIGNALS.partition_by[0], "=", day.isoformat())]
    files = pa.table(table.get_add_actions(flatten=True)).filter(_is_of(day))
    sizes = [int(size or 0) for size in files["size_bytes"].to_pylist()]
    mine = pl.scan_delta(table).filter(pl.col("window_on") == day)
    adds: list[AddAction] = []
    dropped = 0
    start = datetime.combine(day, time(), UTC)
    while start.date() == day:
        within = pl.col("window_start").is_between(start, start + SLICE, closed="left")
        panes = mine.filter(within).collect()
        latest = latest_panes(panes.lazy()).sort("size_seconds", "scope", "key", "window_start").collect()
        dropped += panes.height - latest.height
        adds += write_files(lake, SIGNALS, latest.select(*SIGNALS.names).to_arrow(), at=at)
        start += SLICE
    table.create_write_transaction(
        actions=list(adds),
        mode="overwrite",
        schema=table.schema(),
        partition_by=list(SIGNALS.partition_by),
        partition_filters=filters,
        post_commithook_properties=NO_CHECKPOINT,
    )
    return Rewritten(dropped, len(sizes), len(adds), sum(sizes), sum(add.size for add in adds))


def _is_of(day: date) -> pa.compute.Expression:
    return pa.compute.field(f"partition.{SIGNALS.partition_by[0]}") == pa.scalar(day)
