"""A log that no longer holds what comes next: landing stops and names it, and goes on only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beam_jobs.landing import drain
from feedback.errors import LogGap
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.settings.home import Settings, load_settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import AuditReport, audit
from lakehouse.landed.continuity import open_landed_log, skip_gaps
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE

pytestmark = pytest.mark.beam

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def clicks(*names: str) -> list[dict[str, Any]]:
    return [{"kind": "click", "id": name, "user_id": "anna", "item_id": "x", "occurred_at": THEN.isoformat()}
            for name in names]  # fmt: skip


def send(settings: Settings, *names: str, at: datetime = THEN) -> None:
    intake = open_intake(settings, clock=lambda: at)
    for event in clicks(*names):
        intake.submit([event])
    intake.log.close()


def lose_the_log(settings: Settings) -> None:
    for path in Path(settings.home).glob("feedback-log.db*"):
        path.unlink()


def audited(settings: Settings) -> AuditReport:
    log = open_landed_log(settings)
    try:
        return audit(open_lake(settings), log.name, bounds=log.bounds())
    finally:
        log.close()


def landed(settings: Settings) -> list[str]:
    return sorted(open_lake(settings).scan(FEEDBACK).select("id").collect()["id"])


def test_records_that_retention_took_before_they_landed_stop_landing_by_name(settings: Settings) -> None:
    send(settings, "a", "b", "c")
    send(settings, "d", at=THEN + timedelta(days=2))
    log = open_log(settings.log)
    (partition,) = (p for p, (_, end) in log.bounds().items() if end)
    log.trim(before=THEN + timedelta(days=1), keep_from={partition: 3})
    log.close()

    with pytest.raises(LogGap, match=rf"partition {partition}: offsets 0 to 2 \(3 records\) are no longer held"):
        drain(settings)

    skip_gaps(settings, at=THEN)
    skip_gaps(settings, at=THEN)
    drain(settings)
    report = audited(settings)
    assert landed(settings) == ["d"]
    assert report.holds, report.faults
    assert report.skipped == 3
    markers = open_lake(settings).scan(QUARANTINE).collect()
    assert markers["code"].to_list() == ["skipped"]


def test_a_log_made_anew_is_told_from_the_old_one_and_goes_on_where_the_lake_stands(settings: Settings) -> None:
    send(settings, "a", "b", "c")
    drain(settings)
    lose_the_log(settings)
    send(settings, "d", "e")

    with pytest.raises(LogGap, match="made anew"):
        drain(settings)

    skip_gaps(settings, at=THEN)
    drain(settings)
    send(settings, "f")
    drain(settings)
    assert landed(settings) == ["a", "b", "c", "d", "e", "f"]
    report = audited(settings)
    assert report.holds, report.faults
    assert all(p.position == p.log_end for p in report.partitions)


def test_a_log_made_anew_twice_still_has_every_place_once(settings: Settings) -> None:
    for names in ("ab", "cde", "f"):
        send(settings, *names)
        skip_gaps(settings, at=THEN)
        drain(settings)
        lose_the_log(settings)

    send(settings, "g")
    skip_gaps(settings, at=THEN)
    drain(settings)

    assert landed(settings) == list("abcdefg")
    assert audited(settings).holds


def test_another_number_of_partitions_stops_landing_until_it_is_agreed_to(settings: Settings) -> None:
    send(settings, "a")
    drain(settings)
    log = open_log(settings.log)
    incarnation = log.incarnation
    log.close()
    lose_the_log(settings)
    more = load_settings(settings.home, log_partitions=6)
    send(more, "b")
    lake = open_lake(more)
    log = open_log(more.log)
    lake.note({f"{log.name}/incarnation": log.incarnation})
    assert log.incarnation != incarnation
    log.close()

    with pytest.raises(LogGap, match="it has 6 partitions now and had 4"):
        drain(more)


def test_gaps_are_told_as_json_too(settings: Settings) -> None:
    send(settings, "a")
    drain(settings)
    lose_the_log(settings)

    (gap,) = skip_gaps(settings, at=THEN)

    assert gap.partition is None
    assert b"made anew" in msgspec.json.encode(gap.words)
