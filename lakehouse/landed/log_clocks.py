"""The committed clock of each log partition; stored with the positions of `feedback`.

`beam_jobs.stages.log_clock` moves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from deltalake.exceptions import DeltaError

from feedback.errors import LakeError
from lakehouse.lake import Lake
from lakehouse.landed.positions import clock_note, era_note
from lakehouse.store_errors import plain
from lakehouse.tables.feedback import FEEDBACK


def committed_clocks(lake: Lake, log_name: str, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Per partition, what time it is in ms since 1970 (0: unknown), and the era as it is noted.

    Raises:
        LakeError: The table cannot be read.
    """
    asked = list(partitions)
    notes = lake.notes([*(clock_note(log_name, p) for p in asked), *(era_note(log_name, p) for p in asked)])
    return {p: (notes[clock_note(log_name, p)], notes[era_note(log_name, p)]) for p in asked}


def newest_landed_ms(lake: Lake) -> int:
    """The start of the newest day on which a row landed, in ms since 1970; 0 for an empty table.

    It stands in for the clock of a lake in which an earlier release has noted none.

    Raises:
        LakeError: The table cannot be read.
    """
    if not lake.exists(FEEDBACK):
        return 0
    try:
        values = [part.get("landed_on") for part in lake.table(FEEDBACK).partitions()]
    except (DeltaError, OSError) as error:
        raise LakeError(f"table feedback at {lake.uri(FEEDBACK)} cannot be read: {plain(error)}") from error
    days = [date.fromisoformat(str(value)) for value in values if value]
    return int(datetime.combine(max(days), time(), UTC).timestamp() * 1000) if days else 0
