"""Read the quarantine: counts with examples for people, and the rows that can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import msgspec
import polars as pl

from feedback.errors import Code, UsageError
from lakehouse.lake import Lake
from lakehouse.landed.replays import Place, ReplayLedger
from lakehouse.landed.tables import OTHERS, code_of
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE
from lakehouse.tables.quarantine import QUARANTINE

RAW_SHOWN = 160
MAX_RAW_BYTES = 256 * 1024
"""Bytes of a refused line that are kept; a `raw` of this length counts as cut."""

PART_ROWS = 2_000
PART_BYTES = 16 * 1024 * 1024
_GROUP = ("code", "source")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined row: where it stood (partition/offset/index), what was wrong, and where it went if replayed."""

    place: str
    landed_on: date
    detail: str
    raw: str | None
    replayed_to: str | None


class QuarantineGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one code from one source; `source` is null where it could not be read."""

    code: str
    source: str | None
    rows: int
    replayed: int
    first_on: date
    last_on: date
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a replay asked for: the rows that can go (place and `size` of their raw), and how many cannot, and why."""

    rows: pl.DataFrame
    replayed: int
    cut: int
    without_raw: int
    whole_records: int


def groups(lake: Lake, *, code: str | None = None, examples: int = 3) -> list[QuarantineGroup]:
    """Count the quarantine by code and source, with the newest rows of each as examples; the largest group first."""
    if not lake.exists(QUARANTINE):
        return []
    rows = lake.scan(QUARANTINE)
    if code is not None:
        rows = rows.filter(pl.col("code") == code)
    shown = rows.with_columns(pl.col("raw").str.slice(0, RAW_SHOWN + 1)).join(
        ReplayLedger(lake).replays().select(*PLACE, "replayed_at", "to_partition", "to_offset", "to_index"),
        on=PLACE,
        how="left",
    )
    newest = pl.struct(*PLACE, "landed_on", "detail", "raw", "to_partition", "to_offset", "to_index")
    counted = (
        shown.sort("landed_on", *PLACE, descending=True)
        .group_by(_GROUP, maintain_order=True)
        .agg(
            pl.len().alias("rows"),
            pl.col("replayed_at").count().alias("replayed"),
            pl.col("landed_on").min().alias("first_on"),
            pl.col("landed_on").max().alias("last_on"),
            newest.head(examples).alias("examples"),
        )
        .sort("rows", "code", "source", descending=[True, False, False])
        .collect()
    )
    return [
        QuarantineGroup(**{**row, "examples": [_example(example) for example in row["examples"]]})
        for row in counted.iter_rows(named=True)
    ]


def select_rows(lake: Lake, *, code: str, where: str | None = None) -> Selection:
    """The rows of a code, and of a condition, that were not replayed yet and can be.

    Args:
        lake: The lake.
        code: Why they were refused.
        where: A boolean SQL expression over the columns of `quarantine`.

    Raises:
        UsageError: The condition cannot be read, or is no condition.
    """
    if not lake.exists(QUARANTINE):
        return Selection(pl.DataFrame(schema={name: pl.Int64 for name in (*PLACE, "size")}), 0, 0, 0, 0)
    chosen = lake.scan(QUARANTINE).filter(pl.col("code") == code)
    if where is not None:
        chosen = chosen.filter(condition(where))
    taken = ReplayLedger(lake).replays().select(*PLACE, pl.lit(value=True).alias("taken"))
    rows = (
        chosen.select(
            *PLACE,
            pl.col("raw").str.len_bytes().cast(pl.Int64).alias("size"),
            pl.col("raw").str.contains("\n", literal=True).alias("whole"),
        )
        .join(taken, on=PLACE, how="left")
        .sort(PLACE)
        .collect()
    )
    fresh = rows.filter(pl.col("taken").is_null())
    cut, whole = pl.col("size") >= MAX_RAW_BYTES, pl.col("whole")
    return Selection(
        rows=fresh.filter(pl.col("size").is_not_null() & ~cut & ~whole).select(*PLACE, "size"),
        replayed=rows.height - fresh.height,
        cut=fresh.filter(cut).height,
        without_raw=fresh["size"].null_count(),
        whole_records=fresh.filter(~cut & whole).height,
    )


def condition(where: str) -> pl.Expr:
    """A boolean SQL expression over the columns of `quarantine`.

    Raises:
        UsageError: It cannot be read, names an unknown column or is not true or false for each row.
    """
    columns = ", ".join(QUARANTINE.names)
    empty = pl.from_arrow(QUARANTINE.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    try:
        parsed = pl.sql_expr(where)
        type_ = empty.select(parsed.alias("condition")).schema["condition"]
    except pl.exceptions.PolarsError as error:
        words = str(error).splitlines()[0]
        raise UsageError(f"--where {where!r}: {words}; write SQL over the columns {columns}") from error
    if type_ != pl.Boolean:
        raise UsageError(
            f"--where {where!r} gives {type_}, not true or false; write a condition like source = 'app' over {columns}"
        )
    return parsed


def read_parts(lake: Lake, rows: pl.DataFrame) -> Iterator[list[tuple[Place, str]]]:
    """Places and raw lines of selected rows, a bounded part at a time."""
    for part in _parts(rows):
        low, high = part["log_offset"].min(), part["log_offset"].max()
        found = (
            lake.scan(QUARANTINE)
            .filter(pl.col("log_offset").is_between(low, high))
            .join(part.lazy().select(PLACE), on=PLACE, how="semi")
            .select(*PLACE, "raw")
            .sort(PLACE)
            .collect()
        )
        yield [((p, o, i), raw) for p, o, i, raw in found.iter_rows()]


def _parts(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    start = size = 0
    for row, bytes_ in enumerate(rows["size"]):
        if row > start and (row - start == PART_ROWS or size + bytes_ > PART_BYTES):
            yield rows.slice(start, row - start)
            start, size = row, 0
        size += bytes_
    if rows.height > start:
        yield rows.slice(start)


def outcomes(lake: Lake, places: pl.DataFrame) -> dict[str, int]:
    """What became of replayed rows, by the place to which they went: `landed`, `waiting` or the code they got."""
    found = [pl.LazyFrame(schema={**places.schema, "outcome": pl.String})]
    for spec, outcome in ((FEEDBACK, pl.lit("landed")), *((spec, code_of(spec)) for spec in OTHERS)):
        if lake.exists(spec):
            found.append(lake.scan(spec).select(*PLACE, outcome.alias("outcome")))
    there = (
        places.lazy().join(pl.concat(found), on=PLACE, how="left").with_columns(pl.col("outcome").fill_null("waiting"))
    )
    return dict(there.group_by("outcome").len().sort("outcome").collect().iter_rows())


def is_duplicate(group: QuarantineGroup) -> bool:
    """Whether a group counts duplicates, which are harmless and keep no raw line."""
    return group.code == Code.DUPLICATE


def _example(row: dict[str, object]) -> Example:
    raw = row["raw"]
    assert isinstance(raw, str | None)
    to = (row["to_partition"], row["to_offset"], row["to_index"])
    return Example(
        place="/".join(str(row[name]) for name in PLACE),
        landed_on=row["landed_on"],  # type: ignore[arg-type]
        detail=str(row["detail"]),
        raw=raw if raw is None or len(raw) <= RAW_SHOWN else raw[:RAW_SHOWN] + "…",
        replayed_to=None if to[0] is None else "/".join(map(str, to)),
    )
