"""The audit: check from the tables alone that every event below the committed positions is exactly one row.

For every partition: events below the committed position = landed + quarantined, where quarantine holds duplicates
too, and the rows of any further table that landing writes count by its name (`lakehouse.landed.tables`). Each row knows
how many events its record had (`log_count`), so a missing last event shows as well. Positions and rows of `feedback`
are of one version, and the others are looked at after it, so that the audit may run beside landing.

An event that is sent again after `dedup_window_days` lands again. That is no fault: it is counted, and readers take its
first row. Two rows of one identity within the window are a fault.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

from feedback.errors import Code
from lakehouse.first_of_identity import repeats
from lakehouse.lake import Lake
from lakehouse.landed.positions import PLACE_TYPES
from lakehouse.landed.tables import OTHERS, code_of
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE

MAX_EXAMPLES = 20
DEFAULT_WINDOW_DAYS = 30


class AuditFault(msgspec.Struct, frozen=True, kw_only=True):
    """One position where the tables are wrong."""

    kind: str
    partition: int
    offset: int
    index: int | None = None
    detail: str


class PartitionAudit(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one partition."""

    partition: int
    position: int
    log_end: int | None
    landed: int
    duplicates: int
    quarantined: int


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit found; `holds` when there is no gap, no double and no stray row."""

    holds: bool
    landed: int
    duplicates: int
    quarantined: int
    codes: dict[str, int]
    skipped: int
    """Records that the log no longer held and that were skipped by `heed land --skip-gap`."""
    partitions: list[PartitionAudit]
    faults: list[AuditFault]
    fault_count: int
    landed_again: int = 0
    """Rows that landed again after the window; `landed` counts them too."""

    @property
    def accounted(self) -> int:
        """Events that reached a table."""
        return self.landed + self.duplicates + self.quarantined


def audit(
    lake: Lake,
    log_name: str,
    *,
    bounds: Mapping[int, tuple[int, int]],
    window_days: int = DEFAULT_WINDOW_DAYS,
) -> AuditReport:
    """Compare the rows of the tables that landing writes with the committed positions.

    Args:
        lake: The lake.
        log_name: Whose positions to read.
        bounds: The log's first and next offset per partition; what is beyond the position waits to be landed.
        window_days: For how long landing knows an identity (`dedup_window_days`).
    """
    version = lake.version(FEEDBACK)
    positions = lake.positions(log_name, max(bounds, default=-1) + 1, version=version)
    rows = _reached(_rows(lake, version), positions)
    again = _landed_again(lake, version)
    is_marker = pl.col("code").eq_missing(pl.lit(str(Code.SKIPPED)))
    markers, rows = rows.filter(is_marker), rows.filter(~is_marker)
    misplaced = [*_doubles(rows), *_incomplete(rows), *_gaps(rows, markers, positions), *_strays(rows, positions)]
    faults = [*misplaced, *_twins(again, window_days)]
    codes = dict(rows.filter(pl.col("code").is_not_null()).group_by("code").len().sort("code").iter_rows())
    partitions = [_partition(rows, p, position, bounds) for p, position in sorted(positions.items())]
    return AuditReport(
        holds=not faults,
        landed=rows["code"].null_count(),
        duplicates=codes.get("duplicate", 0),
        quarantined=sum(count for code, count in codes.items() if code != "duplicate"),
        codes=codes,
        skipped=int(markers["log_count"].sum()),
        partitions=partitions,
        faults=faults[:MAX_EXAMPLES],
        fault_count=len(faults),
        landed_again=int((again["days"] > window_days).sum()),
    )


def _rows(lake: Lake, version: int | None) -> pl.DataFrame:
    """The coordinates of every row, with its code where it is not in `feedback`."""
    places = list(PLACE_TYPES)
    frames = [pl.DataFrame(schema={**PLACE_TYPES, "code": pl.String})]
    if version is not None:
        landed = lake.scan(FEEDBACK, version=version)
        frames.append(landed.select(*places, pl.lit(None, pl.String).alias("code")).collect())
    frames += [lake.scan(spec).select(*places, code_of(spec)).collect() for spec in OTHERS if lake.exists(spec)]
    return pl.concat(frames)


def _reached(rows: pl.DataFrame, positions: Mapping[int, int]) -> pl.DataFrame:
    """Without rows beyond the positions, but for `feedback`: their commit goes on, or was cut short and is repeated."""
    reached = pl.DataFrame(
        {"log_partition": list(positions), "position": list(positions.values())},
        schema={"log_partition": pl.Int32, "position": pl.Int64},
    )
    found = rows.join(reached, on="log_partition", how="left", maintain_order="left")
    ahead = pl.col("code").is_not_null() & (pl.col("log_offset") >= pl.col("position"))
    return found.filter(~ahead.fill_null(value=False)).drop("position")


def _doubles(rows: pl.DataFrame) -> list[AuditFault]:
    doubled = rows.group_by(PLACE).len().filter(pl.col("len") > 1).sort(PLACE)
    return [
        AuditFault(kind="double", partition=p, offset=o, index=i, detail=f"{n} rows stand for one event")
        for p, o, i, n in doubled.iter_rows()
    ]


def _incomplete(rows: pl.DataFrame) -> list[AuditFault]:
    records = (
        rows.group_by("log_partition", "log_offset")
        .agg(pl.col("log_index").n_unique().alias("seen"), pl.col("log_count").max().alias("count"))
        .filter(pl.col("seen") != pl.col("count"))
        .sort("log_partition", "log_offset")
    )
    return [
        AuditFault(kind="gap", partition=p, offset=o, detail=f"{seen} of the record's {count} events are there")
        for p, o, seen, count in records.iter_rows()
    ]


def _gaps(rows: pl.DataFrame, markers: pl.DataFrame, positions: Mapping[int, int]) -> list[AuditFault]:
    faults: list[AuditFault] = []
    for partition, position in positions.items():
        seen = rows.filter(pl.col("log_partition") == partition)["log_offset"].unique()
        missing = (
            pl.int_range(position, dtype=pl.Int64, eager=True).to_frame("o").filter(~pl.col("o").is_in(seen.implode()))
        )
        for start, count in markers.filter(pl.col("log_partition") == partition)["log_offset", "log_count"].iter_rows():
            missing = missing.filter(~pl.col("o").is_between(start, start + count, closed="left"))
        faults.extend(
            AuditFault(kind="gap", partition=partition, offset=offset, detail="no event of this record is in any table")
            for offset in missing["o"]
        )
    return faults


def _strays(rows: pl.DataFrame, positions: Mapping[int, int]) -> list[AuditFault]:
    """Rows of `feedback` beyond the position."""
    faults: list[AuditFault] = []
    for partition, position in positions.items():
        beyond = rows.filter(
            (pl.col("log_partition") == partition) & (pl.col("log_offset") >= position) & pl.col("code").is_null()
        )
        faults.extend(
            AuditFault(kind="stray", partition=partition, offset=o, detail=f"landed beyond the position {position}")
            for o in beyond["log_offset"].unique().sort()
        )
    return faults


def _landed_again(lake: Lake, version: int | None) -> pl.DataFrame:
    """Every row of an identity but the first, and how many days after the one before it landed."""
    rows = (
        pl.DataFrame(FEEDBACK.schema.empty_table()).lazy() if version is None else lake.scan(FEEDBACK, version=version)
    )
    return repeats(rows, within_window=True)


def _twins(again: pl.DataFrame, window_days: int) -> list[AuditFault]:
    """Repeats that landing should have dropped: a row of the same identity had landed within the window."""
    known = again.filter(pl.col("days") <= window_days)
    return [
        AuditFault(
            kind="double",
            partition=partition,
            offset=offset,
            index=index,
            detail=f"event id {event_id!r} landed again after {days} days, within the window of {window_days}",
        )
        for partition, offset, index, event_id, days in known.select(*PLACE, "id", "days").iter_rows()
    ]


def _partition(
    rows: pl.DataFrame, partition: int, position: int, bounds: Mapping[int, tuple[int, int]]
) -> PartitionAudit:
    mine = rows.filter(pl.col("log_partition") == partition)
    duplicates = mine.filter(pl.col("code") == "duplicate").height
    landed = mine["code"].null_count()
    return PartitionAudit(
        partition=partition,
        position=position,
        log_end=bounds[partition][1] if partition in bounds else None,
        landed=landed,
        duplicates=duplicates,
        quarantined=mine.height - landed - duplicates,
    )
