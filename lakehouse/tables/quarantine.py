"""The table `quarantine`: what landing refused."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.positions import PLACE, POSITION
from lakehouse.tables.spec import Column, TableSpec, required

QUARANTINE = TableSpec(
    name="quarantine",
    grain="one row per event that landing refused, duplicates (without raw) among them",
    key=PLACE,
    columns=(
        required("code", pa.string(), "why it was refused", personal=False),
        required("detail", pa.string(), "what was wrong, and where", personal=True),
        Column("raw", pa.string(), "the line as it stood in the log; null for duplicates", personal=True),
        Column("id", pa.string(), "the event's id, where it could be read", personal=True),
        Column("kind", pa.string(), "the event's kind, where it could be read", personal=False),
        Column("source", pa.string(), "where it came from, where it could be read", personal=False),
        *POSITION,
    ),
    partition_by=("landed_on",),
    stats_columns=("code", "log_partition", "log_offset"),
)
