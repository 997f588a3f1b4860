"""A lake that has work for maintenance."""

from __future__ import annotations

from datetime import UTC, datetime

from lakehouse.commit import LandingBatch, LandingCommitter
from lakehouse.lake import Lake
from lakehouse.maintenance.plan import OPEN_SMALL_FILES, Retention
from lakehouse.tables.feedback import FEEDBACK
from tests.lakehouse.rows import batch, rows

COMMITS = OPEN_SMALL_FILES + 10
RETENTION = Retention(landing_hours=4, history_hours=168, orphan_seconds=3600)
CAP = 1 << 30


def today(start: int, end: int) -> LandingBatch:
    """One event per offset, landed on the day that is open now."""
    day = datetime.now(UTC).date()
    given = [{"log_offset": o, "id": f"e{o}", "landed_on": day, "country": "DE"} for o in range(start, end)]
    return LandingBatch({0: start}, {0: end}, {"feedback": rows(FEEDBACK, *given)})


def land(lake: Lake, commits: int, make=batch, start: int = 0) -> LandingCommitter:  # noqa: ANN001
    committer = LandingCommitter(lake, "feedback", 1)
    for number in range(start, start + commits):
        committer.commit(make(number, number + 1), at=datetime.now(UTC))
    return committer


def ids(lake: Lake) -> list[str]:
    return sorted(lake.scan(FEEDBACK).select("id").collect()["id"])
