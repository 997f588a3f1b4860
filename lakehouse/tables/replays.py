"""The table `replays`: which quarantined rows were appended to the log again, and where they went."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.positions import PLACE
from lakehouse.tables.spec import TIME, Column, TableSpec, required

REPLAYS = TableSpec(
    name="replays",
    grain="one row per quarantined row that was replayed; first as a plan, then with where it went",
    key=PLACE,
    built_from=("quarantine",),
    columns=(
        required("replay_id", pa.string(), "the run of `heed replay`, and its part, that took the row", personal=False),
        required("log_partition", pa.int32(), "place of the quarantined row", personal=False),
        required("log_offset", pa.int64(), "place of the quarantined row", personal=False),
        required("log_index", pa.int32(), "place of the quarantined row", personal=False),
        required("code", pa.string(), "why it was refused", personal=False),
        required("planned_at", TIME, "when it was decided what to append", personal=False),
        Column("line", pa.string(), "what to append; null once it is in the log", personal=True),
        Column(
            "replayed_at",
            TIME,
            "when it was appended again; null while that is not known to have happened",
            personal=False,
        ),
        Column("to_partition", pa.int32(), "where it went: partition of the log", personal=False),
        Column("to_offset", pa.int64(), "where it went: offset of the record", personal=False),
        Column("to_index", pa.int32(), "where it went: place in that record", personal=False),
    ),
)
