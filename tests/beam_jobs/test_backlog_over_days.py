"""A backlog that spans many days is one batch, and each of its events has its own deduplication window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from beam_jobs.landing import drain
from feedback.intake import open_intake
from feedback.settings.home import Settings, ensure_home, override_settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit

pytestmark = pytest.mark.beam

WINDOW_DAYS = 30
LONG_AGO = datetime.now(UTC) - timedelta(days=80)
EVENT: dict[str, Any] = {
    "kind": "click", "user_id": "u", "item_id": "i", "id": "e", "occurred_at": LONG_AGO.isoformat(),
}  # fmt: skip


def send(settings: Settings, day: int, event: dict[str, Any] | None = None) -> None:
    """Accept an event on a day; the gateway knows nothing of earlier ones, as another gateway on Kafka."""
    now = LONG_AGO + timedelta(days=day)
    intake = open_intake(settings, clock=lambda: now)
    intake.log.trim(before=now, keep_from={0: 0})
    (verdict,) = intake.submit([event or {"kind": "search", "user_id": "u", "query": "q", "id": f"day {day}"}])
    assert verdict.verdict == "accepted"
    intake.log.close()


@pytest.mark.parametrize(("day", "duplicates"), [(WINDOW_DAYS - 1, 1), (WINDOW_DAYS, 1), (WINDOW_DAYS + 1, 0)])
def test_a_repeat_is_known_for_the_window_of_its_own_day(settings: Settings, day: int, duplicates: int) -> None:
    one = override_settings(settings, log_partitions=1, dedup_window_days=WINDOW_DAYS)
    ensure_home(one)
    send(one, 0, EVENT)
    drain(one)
    for quiet in range(1, day):
        send(one, quiet)
    drain(one)
    send(one, day, EVENT)
    for later in range(day + 1, day + 7):
        send(one, later)

    report = drain(one)

    assert (report.batches, report.duplicates, report.landed) == (1, duplicates, 7 - duplicates)
    log = open_intake(one).log
    found = audit(open_lake(one), log.name, bounds=log.bounds(), window_days=WINDOW_DAYS)
    assert (found.faults, found.landed_again) == ([], 1 - duplicates)
    log.close()
