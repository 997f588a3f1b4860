"""A file that is imported again after the deduplication window lands again, and changes nothing that is learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import pytest

from beam_jobs.landing import drain
from dagster_project.lib.catalogue import build_catalogue
from dagster_project.lib.learned import catalogue_events, interactions_of
from expectations.screening import Screening
from expectations.suites.registry import SUITES
from feedback.intake import open_intake
from feedback.settings.home import Settings, ensure_home, load_settings
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.audit import audit
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_table import read_windows

pytestmark = pytest.mark.beam

DAYS = 40
"""Between the imports; in between something happens each day, so that the log's clock goes on."""
OLD = "2025-01-20T12:00:00Z"
FILE: list[dict[str, Any]] = [
    *({"kind": "click", "user_id": f"u{n % 3}", "item_id": f"i{n % 2}", "id": f"c{n}", "occurred_at": OLD}
      for n in range(8)),
    {"kind": "rating", "user_id": "u0", "item_id": "i0", "value": 5, "scale": [1, 5], "occurred_at": OLD},
    {"kind": "item", "item_id": "i0", "title": "Mug", "occurred_at": OLD},
]  # fmt: skip


class Reimported(NamedTuple):
    settings: Settings
    lake: Lake
    before: pl.DataFrame
    """Interactions before the second import."""


def send(settings: Settings, events: list[dict[str, Any]], *, days_ago: int) -> None:
    """Send events on a day; the log remembers what it holds for the window."""
    now = datetime.now(UTC) - timedelta(days=days_ago)
    intake = open_intake(settings, clock=lambda: now)
    log = intake.log
    log.trim(before=now - timedelta(days=settings.landing.dedup_window_days), keep_from={0: 0})
    assert {verdict.verdict for verdict in intake.submit(events)} == {"accepted"}
    log.close()


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Reimported:
    home = tmp_path_factory.mktemp("again") / "home"
    settings = load_settings(home, landing_flush_seconds=0.05, log_partitions=1)
    ensure_home(settings)
    send(settings, FILE, days_ago=DAYS)
    drain(settings)
    lake = open_lake(settings)
    before = interactions_of(lake.scan(FEEDBACK)).rows
    for day in range(1, DAYS):
        send(settings, [{"kind": "search", "user_id": "u0", "query": "mug"}], days_ago=DAYS - day)
    drain(settings)
    send(settings, FILE, days_ago=0)
    assert drain(settings).landed == len(FILE)
    return Reimported(settings, lake, before)


def test_the_audit_holds_and_says_how_many_rows_landed_again(again: Reimported) -> None:
    log = open_intake(again.settings).log

    report = audit(again.lake, log.name, bounds=log.bounds(), window_days=again.settings.landing.dedup_window_days)

    assert report.faults == []
    assert (report.holds, report.landed, report.landed_again) == (True, 2 * len(FILE) + DAYS - 1, len(FILE))
    log.close()


def test_the_same_is_learned_and_what_landed_again_is_counted(again: Reimported) -> None:
    learned = interactions_of(again.lake.scan(FEEDBACK))

    assert learned.rows.equals(again.before)
    assert learned.rows["events"].sum() == 9
    assert learned.events_left_out == 9


def test_the_catalogue_has_each_item_once(again: Reimported) -> None:
    found = build_catalogue(catalogue_events(again.lake.scan(FEEDBACK)))

    assert found.rows["item_id", "title"].rows() == [("i0", "Mug")]
    assert found.left_out.is_empty()


def test_the_check_of_identities_counts_the_repeats_and_no_other_rule_is_broken(again: Reimported) -> None:
    counts = Screening(again.lake.scan(FEEDBACK), SUITES["feedback"]).counts

    assert counts.broken_rules == {"unique__owner_id": len(FILE)}


def test_windows_of_the_time_are_not_counted_twice(again: Reimported) -> None:
    windows = read_windows(again.lake, scope="all").filter(pl.col("size_seconds") == 3600)

    assert windows["events"].sum() == DAYS - 1
    assert windows["late"].sum() == 2 * len(FILE)
