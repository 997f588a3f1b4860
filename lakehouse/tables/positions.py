"""The columns that say where in the feedback log a row comes from."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.spec import required

POSITION = (
    required("log_partition", pa.int32(), "partition of the feedback log", personal=False),
    required("log_offset", pa.int64(), "offset of the record in its partition", personal=False),
    required("log_index", pa.int32(), "place of the event in its record, from 0", personal=False),
    required("log_count", pa.int32(), "events in that record", personal=False),
    required("landed_on", pa.date32(), "UTC day on which the record was appended to the log", personal=False),
)
PLACE = tuple(column.name for column in POSITION[:3])
"""Where in the log an event is: partition, offset and index, the key of a landed row."""
