"""The next release, as a process: contract version 2 knows `mood`, and the feedback table has a column for it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pyarrow as pa

from lakehouse.tables import feedback as table
from lakehouse.tables.spec import Column

MOOD = Column("mood", pa.string(), "how the person felt", added_in=2, attribute="mood", personal=True)
table.FEEDBACK_EVENT = (*table.FEEDBACK_EVENT, MOOD)
table.FEEDBACK = replace(table.FEEDBACK, version=table.FEEDBACK.version + 1, columns=(*table.FEEDBACK.columns, MOOD))

from beam_jobs.landing import drain  # noqa: E402 - what imports the tables must see those of the next release
from feedback.settings.home import load_settings  # noqa: E402
from lakehouse.lake import open_lake  # noqa: E402

settings = load_settings(sys.argv[1])
drain(settings)
rows = open_lake(settings).scan(table.FEEDBACK).sort("id").select("id", "v", "mood", "attributes").collect()
sys.stdout.write(rows.write_json())
