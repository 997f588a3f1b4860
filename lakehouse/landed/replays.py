"""The ledger of replays: which quarantined rows went through the log again, and where to.

A replay is written down before it happens. A plan holds the very lines to append; a crash after it leaves a plan that
the next replay carries out with the same lines, whatever repair it was asked for, so that landing knows a second
append by its ids. `quarantine` itself is never updated: an update makes the appends of landing fail (ADR 2).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from feedback.errors import ReplayInProgress
from lakehouse.fenced_table import FencedTable
from lakehouse.lake import Lake
from lakehouse.tables.positions import PLACE
from lakehouse.tables.replays import REPLAYS

APPLICATION = "replays"

Place = tuple[int, int, int]
"""Partition, offset and index in the log."""


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A quarantined row's place and code, and the line that is to be appended for it."""

    place: Place
    code: str
    line: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Lines that are to be appended together, written down under one id."""

    replay_id: str
    planned_at: datetime
    lines: tuple[PlannedLine, ...]


class ReplayLedger:
    """Plans and finishes replays in the `replays` table; one writer at a time, by the fence of its transactions."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._table = FencedTable(lake, REPLAYS)

    def replays(self) -> pl.LazyFrame:
        """Every row of the ledger."""
        if not self._lake.exists(REPLAYS):
            return pl.LazyFrame(schema=pl.from_arrow(REPLAYS.schema.empty_table()).schema)  # type: ignore[union-attr]
        return self._lake.scan(REPLAYS)

    def open_plans(self) -> list[Plan]:
        """Plans that are not known to have been carried out: their replay was cut short, or is still under way."""
        waiting = self.replays().filter(pl.col("replayed_at").is_null()).sort(*PLACE).collect()
        return [
            Plan(
                replay_id,
                part["planned_at"][0],
                tuple(
                    PlannedLine((p, o, i), c, line) for p, o, i, c, line in part.select(*PLACE, "code", "line").rows()
                ),
            )
            for (replay_id,), part in waiting.group_by("replay_id", maintain_order=True)
        ]

    def plan(self, lines: Sequence[PlannedLine], *, at: datetime) -> Plan:
        """Write down what is to be appended.

        Raises:
            ReplayInProgress: Another replay wrote to the ledger meanwhile, or has taken one of the rows before.
        """
        plan = Plan(uuid.uuid4().hex, at, tuple(lines))
        last = self._last()
        taken = {place for place in self._table.rows().select(PLACE).collect().iter_rows()}
        if any(line.place in taken for line in lines):
            raise ReplayInProgress("another replay took some of these rows meanwhile; start again, it skips them")
        self._write(_rows(plan), last, at=at)
        return plan

    def finish(self, plan: Plan, went_to: Sequence[Place], *, at: datetime) -> None:
        """Put where its lines went in the place of a plan, in one commit; the lines themselves are in the log now."""
        last = self._last()
        partitions, offsets, indexes = zip(*went_to, strict=True)
        done = _rows(plan).with_columns(
            pl.lit(None, pl.String).alias("line"),
            pl.lit(at).alias("replayed_at"),
            pl.Series("to_partition", partitions, pl.Int32),
            pl.Series("to_offset", offsets, pl.Int64),
            pl.Series("to_index", indexes, pl.Int32),
        )
        self._write(done, last, at=at, replacing=f"replay_id = '{plan.replay_id}'")

    def _last(self) -> int:
        """The number of the newest commit to the ledger."""
        return self._table.numbers([APPLICATION], fresh=True)[APPLICATION]

    def _write(self, rows: pl.DataFrame, last: int, *, at: datetime, replacing: str | None = None) -> None:
        arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        seen = {APPLICATION: last}
        numbers = {APPLICATION: last + 1}
        if not self._table.commit(arrow, numbers, fence=seen.__eq__, at=at, replacing=replacing):
            raise ReplayInProgress("another replay is under way on this lake; wait until it has ended")


def _rows(plan: Plan) -> pl.DataFrame:
    rows = [
        {
            "replay_id": plan.replay_id,
            **dict(zip(PLACE, line.place, strict=True)),
            "code": line.code,
            "planned_at": plan.planned_at,
            "line": line.line,
        }
        for line in plan.lines
    ]
    empty = pl.from_arrow(REPLAYS.schema.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.concat([empty, pl.DataFrame(rows, schema_overrides=_overrides(empty, rows))], how="diagonal")


def _overrides(empty: pl.DataFrame, rows: list[dict[str, object]]) -> dict[str, pl.DataType]:
    return {name: type_ for name, type_ in empty.schema.items() if rows and name in rows[0]}
