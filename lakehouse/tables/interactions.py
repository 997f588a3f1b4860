"""The table `interactions`: what each person thinks of each item, from all their feedback."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.spec import TIME, Column, TableSpec, required

INTERACTIONS = TableSpec(
    name="interactions",
    grain="one row per (subject, item)",
    key=("subject", "item_id"),
    subject="subject",
    built_from=("feedback",),
    columns=(
        required("subject", pa.string(), "pseudonym of the person", personal=True),
        required("item_id", pa.string(), "the item", personal=False),
        Column("explicit", pa.float64(), "latest stated preference, -1 to 1", personal=False),
        required("implicit", pa.float64(), "sum of signed evidence from behaviour", personal=False),
        required("preference", pa.float64(), "signed preference, -1 to 1", personal=False),
        required("weight", pa.float64(), "confidence in it, 0 or more", personal=False),
        required("events", pa.int32(), "events behind it", personal=False),
        required("first_at", TIME, "first event", personal=False),
        required("last_at", TIME, "last event", personal=False),
        Column("explicit_at", TIME, "the stated preference's event", personal=False),
        Column("wanted_at", TIME, "last event that does not speak against the item", added_in=2, personal=False),
    ),
    version=2,
)
