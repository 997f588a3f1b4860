"""The table `signals`: counts per event-time window, for items, sections and everything."""

from __future__ import annotations

import pyarrow as pa

from feedback.contract import KINDS
from lakehouse.tables.spec import TIME, Column, TableSpec, required

WINDOW_TALLIES = (
    Column("events", pa.int64(), "events that happened in the window, of every kind", personal=False),
    Column("opinions", pa.int64(), "events that say something for or against by the preference rules", personal=False),
    Column("positive", pa.int64(), "those that say something for it", personal=False),
    Column("negative", pa.int64(), "those that say something against it", personal=False),
    Column("ratings", pa.int64(), "ratings and reviews with a value", personal=False),
    Column(
        "rating_millionths",
        pa.int64(),
        "sum of their places on their scales, in millionths of the way up",
        personal=False,
    ),
    Column("nps_promoters", pa.int64(), "answers of 9 and 10", personal=False),
    Column("nps_passives", pa.int64(), "answers of 7 and 8", personal=False),
    Column("nps_detractors", pa.int64(), "answers up to 6", personal=False),
    Column("csat_answered", pa.int64(), "answers to the satisfaction question", personal=False),
    Column("csat_satisfied", pa.int64(), "those in the top box: 4 and 5 of five", personal=False),
    Column(
        "late",
        pa.int64(),
        "events that the log took in the window, too late for their own; scope `all` only",
        personal=False,
    ),
    *(Column(f"n_{kind}", pa.int64(), f"events of kind `{kind}`", personal=False) for kind in KINDS),
)
"""What a window counts; whole numbers, so that sums do not depend on their order."""

SIGNALS = TableSpec(
    name="signals",
    grain="one row per pane: what one log partition had brought to one window so far; the highest pane counts",
    key=("size_seconds", "window_start", "scope", "key", "log_partition", "pane"),
    built_from=("feedback",),
    columns=(
        required("window_on", pa.date32(), "UTC day on which the window starts", personal=False),
        required("size_seconds", pa.int32(), "length of the window", personal=False),
        required("window_start", TIME, "when it starts; it ends `size_seconds` later", personal=False),
        required("scope", pa.string(), "item, section or all", personal=False),
        required("key", pa.string(), "the item or the section; empty for all", personal=False),
        required(
            "log_partition", pa.int32(), "partition of the feedback log; a reader adds partitions up", personal=False
        ),
        required(
            "pane",
            pa.int64(),
            "number of the pane in its log partition; a later one replaces an earlier one",
            personal=False,
        ),
        required(
            "final",
            pa.bool_(),
            "whether the partition had passed the window's end and the allowed lateness",
            personal=False,
        ),
        required(
            "people", pa.binary(), "distinct subjects: numbers while they are few, else an HLL sketch", personal=True
        ),
        *WINDOW_TALLIES,
    ),
    partition_by=("window_on",),
    stats_columns=("size_seconds", "window_start", "log_partition", "pane"),
    unlike_columns=("people",),
    latest_by="pane",
)
