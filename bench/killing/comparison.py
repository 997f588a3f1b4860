"""The final comparison, id by id: accepted events and lines of the log against the rows of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from beam_jobs.stages.log_clock import PartitionClock, believe
from bench.killing.odd import is_poison, poison
from bench.killing.sender import Ledger
from feedback.log.port import FeedbackLog
from feedback.settings.home import Settings
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.positions import PLACE_TYPES
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import PLACE
from lakehouse.tables.quarantine import QUARANTINE
from online.open import open_online_store

READ_EVENTS = 10_000
EXAMPLES = 5


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Differences between the tables and what they should hold."""

    accepted: int
    landed: int
    duplicates: int
    poison: int
    lost: int
    """Accepted events that are in no row of `feedback`, and lines of the log that are in no row at all."""
    doubled: int
    """Events that landed twice, and lines of the log that are in two rows."""
    invented: int
    """Rows for which the log has no line, and landed events that were never sent."""
    poison_unaccounted: int
    """Malformed lines in the log that are not in quarantine exactly once with their bytes."""
    odd_times: int
    """Records whose log time is out of bounds."""
    wrong_day: int
    """Rows whose `landed_on` is not the day on which the log took them, by the clock of the log."""
    waiting: int
    """Records of the log beyond the committed positions."""
    online_behind: int
    """Partitions whose position in the online store is not the committed one."""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """All lines of the log, and all rows of both tables."""

    lines: pl.DataFrame
    rows: pl.DataFrame


def compare(settings: Settings, log: FeedbackLog, ledger: Ledger) -> Comparison:
    """Compare a log that has landed to its end with the tables."""
    lake = open_lake(settings)
    positions = lake.positions(log.name, log.partitions)
    held = _Held(_lines(log), _rows(lake))
    landed = held.rows.filter(pl.col("code").is_null())
    sent = pl.DataFrame({"id": [f"e{number}" for number in sorted(ledger.accepted)]}, schema={"id": pl.String})
    lost_ids = sent.join(landed, on="id", how="anti")
    lost_lines = held.lines.join(held.rows, on=PLACE, how="anti")
    twins = landed.group_by("id").len().filter(pl.col("len") > 1)
    doubles = held.rows.group_by(PLACE).len().filter(pl.col("len") > 1)
    strangers = landed.join(sent, on="id", how="anti")
    strays = held.rows.join(held.lines, on=PLACE, how="anti")
    placed = held.rows.join(held.lines, on=PLACE, how="inner", suffix="_logged")
    wrong_poison, poisoned = _poison(held, ledger)
    return Comparison(
        accepted=len(ledger.accepted),
        landed=landed.height,
        duplicates=held.rows.filter(pl.col("code") == "duplicate").height,
        poison=poisoned,
        lost=lost_ids.height + lost_lines.height,
        doubled=twins.height + doubles.height,
        invented=strangers.height + strays.height,
        poison_unaccounted=wrong_poison,
        odd_times=int(held.lines.filter(pl.col("log_index") == 0)["odd"].sum()),
        wrong_day=placed.filter(pl.col("landed_on") != pl.col("landed_on_logged")).height,
        waiting=sum(end - positions[p] for p, (_, end) in log.bounds().items()),
        online_behind=_online_behind(settings, positions),
        examples=tuple(
            f"{what}: {row}"
            for what, frame in {
                "lost event": lost_ids, "lost line": lost_lines, "landed twice": twins, "two rows": doubles,
                "never sent": strangers, "no such line": strays,
            }.items()
            for row in frame.head(EXAMPLES).rows()
        ),
    )  # fmt: skip


def _lines(log: FeedbackLog) -> pl.DataFrame:
    """Every line of the log: its place, its day by the log's clock, and its text where it is poison."""
    rows: list[tuple[int, int, int, int, bool, str | None]] = []
    for partition, (position, end) in log.bounds().items():
        clock = PartitionClock()
        while position < end:
            records = log.read(partition, position, max_events=READ_EVENTS)
            belief = believe(clock, np.array(records.appended_at_ms, np.int64))
            clock = belief.clock
            for record, at, odd in zip(records, belief.believed.tolist(), belief.is_doubted.tolist(), strict=True):
                for index, line in enumerate(record.value.split(b"\n")):
                    text = line.decode() if is_poison(line) else None
                    rows.append((partition, record.offset, index, at, odd, text))
                position = record.offset + 1
    placed = {name: PLACE_TYPES[name] for name in PLACE}
    schema = {**placed, "at": pl.Int64(), "odd": pl.Boolean(), "poison": pl.String()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.from_epoch("at", time_unit="ms").dt.date().alias("landed_on"))


def _rows(lake: Lake) -> pl.DataFrame:
    """Every row of both tables, with its code and raw line where it was refused."""
    nothing = pl.lit(None, pl.String)
    columns = [*PLACE, "landed_on", "id"]
    frames = [lake.scan(FEEDBACK).select(*columns, nothing.alias("code"), nothing.alias("raw"))]
    if lake.exists(QUARANTINE):
        frames.append(lake.scan(QUARANTINE).select(*columns, "code", "raw"))
    return pl.concat(frames).collect()


def _poison(held: _Held, ledger: Ledger) -> tuple[int, int]:
    """How many malformed lines are not accounted for, and how many are."""
    in_log = held.lines.filter(pl.col("poison").is_not_null())
    refused = held.rows.filter(pl.col("code").is_in(["undecodable", "contract_broken"]))
    right = in_log.join(refused, left_on=[*PLACE, "poison"], right_on=[*PLACE, "raw"], how="inner")
    texts = set(in_log["poison"])
    forgotten = sum(poison(number).decode() not in texts for number in ledger.poison)
    return in_log.height - right.height + forgotten + (refused.height - right.height), right.height


def _online_behind(settings: Settings, positions: Mapping[int, int]) -> int:
    store = open_online_store(settings.online)
    pushed = store.positions()
    store.close()
    return sum(pushed.get(p, 0) != position for p, position in positions.items())
