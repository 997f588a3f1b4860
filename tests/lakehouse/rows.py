"""Rows to land in tests: complete by the spec, with only what matters given."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lakehouse.commit import LandingBatch
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.spec import TableSpec
from tests.conftest import NOW

FEEDBACK_DEFAULTS: dict[str, Any] = {
    "v": 1, "kind": "rating", "subject": "s" * 32, "item_id": "i", "occurred_at": NOW, "received_at": NOW,
    "source": "test", "log_partition": 0, "log_index": 0, "log_count": 1, "landed_on": NOW.date(),
}  # fmt: skip
QUARANTINE_DEFAULTS: dict[str, Any] = {
    "code": "undecodable", "detail": "broken", "raw": "{", "log_partition": 0, "log_index": 0, "log_count": 1,
    "landed_on": NOW.date(),
}  # fmt: skip


def rows(spec: TableSpec, *given: dict[str, Any]) -> pa.Table:
    defaults = FEEDBACK_DEFAULTS if spec is FEEDBACK else QUARANTINE_DEFAULTS
    full = [{**dict.fromkeys(spec.names), **defaults, **row} for row in given]
    return pa.Table.from_pylist(full, schema=spec.schema)


def batch(start: int, end: int, *, quarantine: tuple[int, ...] = (), partition: int = 0) -> LandingBatch:
    """One event per offset from start to end; those in `quarantine` are refused."""
    at = {"log_partition": partition}
    landed = [{**at, "log_offset": o, "id": f"e{partition}-{o}"} for o in range(start, end) if o not in quarantine]
    refused = [{**at, "log_offset": o} for o in range(start, end) if o in quarantine]
    by_table = {"quarantine": rows(QUARANTINE, *refused), "feedback": rows(FEEDBACK, *landed)}
    return LandingBatch({partition: start}, {partition: end}, by_table)
