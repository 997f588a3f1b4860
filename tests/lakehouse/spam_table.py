"""A third table for landing, beside `quarantine`, and a process that dies in the middle of a batch over all three."""

from __future__ import annotations

import os
import signal

import pyarrow as pa

import lakehouse.commit
import lakehouse.landed.audit
from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.positions import POSITION
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import Column, TableSpec
from tests.conftest import NOW
from tests.lakehouse.rows import QUARANTINE_DEFAULTS, rows

SPAM = TableSpec(
    name="spam",
    grain="one row per event that a test calls spam",
    key=QUARANTINE.key,
    columns=(*POSITION, Column("score", pa.float64(), "how sure it is", personal=False)),
    partition_by=("landed_on",),
    stats_columns=("log_partition", "log_offset"),
)

Judged = dict[int, str]
"""By offset, the table that an event goes to."""


def declare() -> None:
    """Make landing know the table, in this process."""
    TABLES["spam"] = SPAM
    for module in (lakehouse.commit, lakehouse.landed.audit):
        module.OTHERS = (QUARANTINE, SPAM)


def withdraw() -> None:
    """Make landing forget it."""
    del TABLES["spam"]
    for module in (lakehouse.commit, lakehouse.landed.audit):
        module.OTHERS = (QUARANTINE,)


def judged_batch(judged: Judged) -> LandingBatch:
    """One event per offset, in the table that it was judged to go to."""

    def mine(table: str) -> list[int]:
        return [offset for offset, name in judged.items() if name == table]

    place = {name: value for name, value in QUARANTINE_DEFAULTS.items() if name in SPAM.names}
    spam = [{**place, "log_offset": offset, "score": 1.0} for offset in mine("spam")]
    return LandingBatch(
        {0: min(judged)},
        {0: max(judged) + 1},
        {
            "quarantine": rows(QUARANTINE, *({"log_offset": o} for o in mine("quarantine"))),
            "spam": pa.Table.from_pylist(spam, schema=SPAM.schema),
            "feedback": rows(FEEDBACK, *({"log_offset": o, "id": f"e{o}"} for o in mine("feedback"))),
        },
    )


def die_in_commit(root: str, judged: Judged, point: str, passes: int) -> None:
    """Commit a batch, and get killed at one pass of a point of it."""
    left = passes

    def die(here: str) -> None:
        nonlocal left
        left -= here == point
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    declare()
    LandingCommitter(Lake(root), "feedback", 1, fault=die).commit(judged_batch(judged), at=NOW)
