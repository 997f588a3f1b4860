"""The `signals` table: panes of live windows, appended behind a fence, and read as figures.

Each log partition's panes are numbered; its rows and the number are one Delta commit, together with the log position
up to which they count. A pane that is not above the committed one was overtaken by another worker and is refused.
Panes hold whole results, never differences, so a reader takes the highest of each key and adds partitions up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from feedback.errors import StalePosition
from lakehouse.fenced_table import FencedTable, Numbers
from lakehouse.lake import Lake
from lakehouse.landed.positions import Spans, within
from lakehouse.sketches import distinct
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.windows import SIGNALS
from lakehouse.window_rows import ROW_SCHEMA, SIZES, TALLIES, WINDOW, Mark, WindowScope

_TABLE_WINDOW = ("size_seconds", "window_start", "scope", "key")
_COUNTED = (
    "kind", "subject", "item_id", "section", "value", "scale_min", "scale_max", "label",
    "occurred_at", "received_at", "appended_at", "log_partition",
)  # fmt: skip


class WindowsPublisher:
    """Appends panes of one log, each partition's in order; one per worker."""

    def __init__(self, lake: Lake, log_name: str, *, checkpoints: bool = True) -> None:
        self._log_name = log_name
        self._table = FencedTable(lake, SIGNALS, checkpoints=checkpoints)

    def marks(self, partitions: int) -> dict[int, Mark]:
        """Pane and position of each partition that was ever published, from the newest snapshot."""
        panes = {p: self._pane_id(p) for p in range(partitions)}
        positions = {p: self._position_id(p) for p in range(partitions)}
        found = self._table.numbers([*panes.values(), *positions.values()], fresh=True)
        return {p: Mark(found[pane], found[positions[p]]) for p, pane in panes.items() if found[pane]}

    def publish(self, rows: pl.DataFrame, marks: Mapping[int, Mark], *, at: datetime) -> None:
        """Append the panes that the marks number.

        Args:
            rows: Window rows (`ROW_SCHEMA`) of the partitions in `marks`.
            marks: The new mark of each.
            at: Modification time to note for the data files.

        Raises:
            StalePosition: Another worker published this pane or a later one.
            LakeError: The table cannot be written, or its store kept refusing.
        """
        self._table.commit(
            panes_of(rows, marks).to_arrow(),
            {self._pane_id(p): mark.pane for p, mark in marks.items()},
            fence=lambda committed: self._is_above(committed, marks),
            notes={self._position_id(p): mark.position for p, mark in marks.items()},
            at=at,
        )

    def _is_above(self, committed: Numbers, marks: Mapping[int, Mark]) -> bool:
        """Whether every pane is above the committed one.

        Raises:
            StalePosition: One is not.
        """
        panes = {p: (mark.pane, committed[self._pane_id(p)]) for p, mark in marks.items()}
        off = {p: (pane, c) for p, (pane, c) in panes.items() if c >= pane}
        if off:
            words = ", ".join(f"partition {p}: pane {pane} comes after pane {c}" for p, (pane, c) in off.items())
            raise StalePosition(f"live windows of log {self._log_name!r}: {words}; count again from the store's marks")
        return True

    def _pane_id(self, partition: int) -> str:
        return f"signals/pane/{self._log_name}/{partition}"

    def _position_id(self, partition: int) -> str:
        return f"signals/position/{self._log_name}/{partition}"


def panes_of(rows: pl.DataFrame, marks: Mapping[int, Mark]) -> pl.DataFrame:
    """Window rows as rows of the table."""
    panes = pl.col("log_partition").replace_strict({p: m.pane for p, m in marks.items()}, return_dtype=pl.Int64)
    start = pl.from_epoch("start", time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return rows.with_columns(window_start=start, window_on=start.dt.date(), pane=panes).select(*SIGNALS.names)


def rows_of(panes: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table as window rows, for a store that was lost."""
    return panes.with_columns(start=pl.col("window_start").dt.epoch("s")).select(*ROW_SCHEMA)


def latest_panes(panes: pl.LazyFrame) -> pl.LazyFrame:
    """Of each window and log partition, the highest pane."""
    key = [*_TABLE_WINDOW, "log_partition"]
    return panes.sort("pane").unique(key, keep="last", maintain_order=True)


def read_windows(
    lake: Lake,
    *,
    size_seconds: int | None = None,
    scope: WindowScope | None = None,
    key: str | None = None,
    since: datetime | None = None,
) -> pl.DataFrame:
    """Windows from the table, one row each with its figures (see `figures`), newest first.

    Args:
        lake: Where.
        size_seconds: Length of the windows; every length by default.
        scope: item, section or all; every scope by default.
        key: The item or the section.
        since: The earliest start of a window.

    Raises:
        TableMissing: No pane was ever published.
    """
    panes = lake.scan(SIGNALS)
    if size_seconds is not None:
        panes = panes.filter(pl.col("size_seconds") == size_seconds)
    if scope is not None:
        panes = panes.filter(pl.col("scope") == scope)
    if key is not None:
        panes = panes.filter(pl.col("key") == key)
    if since is not None:
        panes = panes.filter(pl.col("window_on") >= since.astimezone(UTC).date(), pl.col("window_start") >= since)
    return figures(rows_of(latest_panes(panes).collect()))


def figures(rows: pl.DataFrame, *, same: Mapping[int, int] | None = None) -> pl.DataFrame:
    """Window rows of several log partitions as one row per window, newest first and busiest first.

    Shares and means are null where nothing was asked or answered. `positive_share` and `negative_share` are of the
    opinions; `mean_rating` is on a scale from 1 to 5 whatever the scale that was asked; `nps` runs from -100 to 100;
    `csat` is the share of the top box; `people` is the estimate of distinct people.

    Args:
        rows: In `ROW_SCHEMA`.
        same: Numbers of linked subjects and the number each stands for (`lakehouse.sketches`).
    """
    sums = rows.group_by(WINDOW).agg(pl.col("final").all(), pl.col(TALLIES).sum(), pl.col("people"))
    people = pl.Series("people", [round(distinct(parts, same=same)) for parts in sums["people"]], dtype=pl.Int64)
    answers = pl.col("nps_promoters") + pl.col("nps_passives") + pl.col("nps_detractors")
    start = pl.from_epoch("start", time_unit="s").dt.replace_time_zone("UTC")
    return (
        sums.with_columns(
            people,
            window_start=start,
            window_end=start + pl.duration(seconds="size_seconds"),
            positive_share=_share("positive", pl.col("opinions")),
            negative_share=_share("negative", pl.col("opinions")),
            mean_rating=1 + 4 * _share("rating_millionths", pl.col("ratings")) / 1_000_000,
            nps=100 * (_share("nps_promoters", answers) - _share("nps_detractors", answers)),
            csat=_share("csat_satisfied", pl.col("csat_answered")),
        )
        .drop("start")
        .sort("window_start", "size_seconds", "scope", "events", "key", descending=[True, False, False, True, False])
    )


def newest_panes(
    lake: Lake, partitions: Sequence[int], *, windows: int, lateness: timedelta, latest_ms: int | None = None
) -> pl.DataFrame:
    """Window rows of these log partitions' newest windows, as many as a store keeps; for a store that was lost.

    Windows that start after `latest_ms` (ms since 1970) do not say which are the newest.
    """
    if not partitions:
        return pl.DataFrame(schema=ROW_SCHEMA)
    mine = lake.scan(SIGNALS).filter(pl.col("log_partition").is_in(list(partitions)))
    known = mine
    if latest_ms is not None:
        known = mine.filter(pl.col("window_start") <= datetime.fromtimestamp(latest_ms / 1000, UTC))
    with lake.reading(SIGNALS):
        newest = known.select(pl.col("window_start").max()).collect().item()
    if newest is None:
        return pl.DataFrame(schema=ROW_SCHEMA)
    kept = [
        (pl.col("size_seconds") == size) & (pl.col("window_on") >= oldest.date()) & (pl.col("window_start") >= oldest)
        for size in SIZES.values()
        for oldest in [newest - lateness - timedelta(seconds=size * (windows + 2))]
    ]
    with lake.reading(SIGNALS):
        return rows_of(latest_panes(mine.filter(pl.any_horizontal(kept))).collect())


def landed_between(lake: Lake, behind: Spans) -> Iterator[pl.DataFrame]:
    """Landed rows of log partitions from one position up to another, in parts and in no order of their own.

    Rows from before `appended_at` was kept have the time at which the gateway admitted them instead.
    """
    if all(start >= end for start, end in behind.values()):
        return
    landed = lake.scan(FEEDBACK).filter(within(behind)).select(_COUNTED)
    landed = landed.with_columns(pl.coalesce("appended_at", "received_at").alias("appended_at"))
    yield from lake.in_parts(FEEDBACK, landed)


def _share(part: str, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(pl.col(part) / whole)
