"""Trim the feedback log and the online store, which grow with every event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from feedback.settings.home import Settings
from lakehouse.lake import open_lake
from lakehouse.landed.continuity import open_landed_log
from online.open import open_online_store


class Trimmed(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of dropped records and events."""

    log_records: int
    online_events: int


def trim_stores(settings: Settings, *, now: datetime, learned: Mapping[int, int] | None) -> Trimmed:
    """Drop log records that have landed and are older than the retention, and online events that are older still.

    A record that has not landed stays, however old. The online store keeps what the log keeps, and beyond that what
    the published bundle does not know: the lake can rebuild it, a person's list cannot wait for that.

    Args:
        settings: Of the home.
        now: The time.
        learned: Per log partition, the offset below which the published bundle knows all; `None` without a bundle.
    """
    log = open_landed_log(settings)
    try:
        before = now - timedelta(days=settings.log.retention_days)
        records = log.trim(before=before, keep_from=open_lake(settings).positions(log.name, log.partitions))
        held = {partition: first for partition, (first, _) in log.bounds().items()}
    finally:
        log.close()
    return Trimmed(log_records=records, online_events=_trim_online(settings, online_bounds(held, learned)))


def online_bounds(held: Mapping[int, int], learned: Mapping[int, int] | None) -> dict[int, int]:
    """Below which offset the online store may forget: what neither the log holds nor the bundle lacks."""
    if learned is None:
        return {}
    return {partition: min(first, learned.get(partition, 0)) for partition, first in held.items()}


def _trim_online(settings: Settings, before: dict[int, int]) -> int:
    if not any(before.values()):
        return 0
    store = open_online_store(settings.online)
    try:
        return store.trim(before=before)
    finally:
        store.close()
