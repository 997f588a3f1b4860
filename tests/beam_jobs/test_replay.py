"""Quarantined rows through landing again: once each, whatever dies in between and however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from beam_jobs.landing import drain
from beam_jobs.replay import Replayer, ReplayReport, append_lines, open_replayer, places_frame
from feedback.errors import UsageError
from feedback.intake import open_intake
from feedback.log.open import open_log
from feedback.log.port import partition_of
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.landed.quarantine import groups, outcomes
from lakehouse.landed.replays import ReplayLedger
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.support.landing.lines import SUBJECT, append, line
from text.redaction import VERSION

pytestmark = pytest.mark.beam
Repair = Callable[[dict[str, Any]], object]


class Crash(Exception):
    """Raised where the process would have died."""


def crash_at(point: str) -> Callable[[str], None]:
    def fault(here: str) -> None:
        if here == point:
            raise Crash

    return fault


def into_scale(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "value": 5}


BROKEN = {"kind": "rating", "scale_min": 1, "scale_max": 5, "value": 9}


@pytest.fixture
def home(settings: Settings) -> Settings:
    """A home whose landing refused five ratings beyond their scale, one line that is no JSON, and took one event."""
    log = open_log(settings.log)
    append(log, *(line(id=f"r{n}", subject=f"{n:032x}", **BROKEN) for n in range(5)), b"{broken", line(id="good"))
    log.close()
    assert drain(settings).codes == {"contract_broken": 5, "undecodable": 1}
    return settings


def replayed(settings: Settings, repair: Repair | None = into_scale, **options: Any) -> ReplayReport:
    replayer = open_replayer(settings)
    try:
        return replayer.run("contract_broken", repair=repair, **options)
    finally:
        replayer.log.close()


def landed_ids(settings: Settings) -> list[str]:
    return sorted(open_lake(settings).scan(FEEDBACK).select("id").collect()["id"])


def assert_the_sums_agree(settings: Settings) -> None:
    log = open_log(settings.log)
    report = audit(open_lake(settings), log.name, bounds=log.bounds())
    log.close()
    assert report.holds, report.faults


def test_repaired_rows_land_and_the_quarantine_says_where_they_went(home: Settings) -> None:
    report = replayed(home)
    drain(home)

    assert (report.selected, report.replayed, report.left) == (5, 5, {})
    assert landed_ids(home) == ["good", "r0", "r1", "r2", "r3", "r4"]
    lake = open_lake(home)
    rows = lake.scan(FEEDBACK).filter(pl.col("id").str.starts_with("r")).sort("id").collect()
    assert set(rows["value"]) == {5.0}
    assert rows.select("log_partition", "log_offset", "log_index").rows() == report.went_to
    assert rows["log_partition"].to_list() == [partition_of(f"{n:032x}", 4) for n in range(5)]
    assert outcomes(lake, places_frame(report.went_to)) == {"landed": 5}
    (group,) = groups(lake, code="contract_broken", examples=9)
    assert (group.rows, group.replayed) == (5, 5)
    went_to = {"/".join(map(str, place)) for place in report.went_to}
    assert {example.replayed_to for example in group.examples} == went_to
    assert_the_sums_agree(home)


def test_replaying_twice_changes_nothing(home: Settings) -> None:
    replayed(home)
    drain(home)
    log = open_log(home.log)
    bounds, rows = log.bounds(), open_lake(home).row_count(QUARANTINE)

    again = replayed(home, lambda event: {**event, "id": "another", "value": 1})
    drain(home)

    assert (again.selected, again.replayed, again.already_replayed) == (0, 0, 5)
    assert log.bounds() == bounds
    assert open_lake(home).row_count(QUARANTINE) == rows


@pytest.mark.parametrize("point", ["after plan", "after append", "after finish"])
@pytest.mark.parametrize("landed_between", [False, True], ids=["not landed", "landed"])
def test_a_crash_between_any_two_steps_counts_nothing_twice_even_if_the_repair_changes(
    home: Settings, point: str, landed_between: bool
) -> None:
    log = open_log(home.log)
    with pytest.raises(Crash):
        Replayer(open_lake(home), log, home, fault=crash_at(point)).run("contract_broken", repair=into_scale)
    if landed_between:
        drain(home)

    report = replayed(home, lambda event: {**event, "id": "other-" + event["id"], "value": 1})
    drain(home)

    assert report.resumed == (0 if point == "after finish" else 5)
    assert landed_ids(home) == ["good", "r0", "r1", "r2", "r3", "r4"]
    assert ReplayLedger(open_lake(home)).open_plans() == []
    expected = {"duplicate": 5} if point == "after append" else {"landed": 5}
    if report.went_to:
        assert outcomes(open_lake(home), places_frame(report.went_to)) == expected
    assert_the_sums_agree(home)


def test_rows_that_landing_would_refuse_again_stay_where_they_are(home: Settings) -> None:
    end = open_log(home.log).bounds()

    report = replayed(home, repair=None)

    assert report.replayed == 0
    assert report.left == {"still refused: contract_broken: `value` is not within its scale": 5}
    assert open_log(home.log).bounds() == end
    assert ReplayLedger(open_lake(home)).replays().collect().is_empty()


def test_each_row_that_is_left_has_its_reason_and_can_be_replayed_later(home: Settings) -> None:
    def some(event: dict[str, Any]) -> object:
        choice: dict[str, object] = {"r0": None, "r1": [1], "r2": {**event, "value": 7}, "r3": into_scale(event)}
        return choice[event["id"]]

    report = replayed(home, some)
    later = replayed(home)
    drain(home)

    assert report.replayed == 1
    assert report.left == {
        "repair left it": 1,
        "repair returned list, not an event as a dict or None": 1,
        "repair raised KeyError: 'r4'": 1,
        "still refused: contract_broken: `value` is not within its scale": 1,
    }
    assert (later.replayed, later.already_replayed) == (4, 1)
    assert len(landed_ids(home)) == 6


def test_a_dry_run_shows_and_writes_nothing(home: Settings) -> None:
    end = open_log(home.log).bounds()

    report = replayed(home, dry_run=True)

    assert (report.replayed, report.went_to) == (5, [])
    assert '"value":9' in report.examples[0].before
    assert '"value":5' in report.examples[0].after
    assert open_log(home.log).bounds() == end
    assert open_lake(home).version(QUARANTINE) is not None
    assert ReplayLedger(open_lake(home)).replays().collect().is_empty()


def test_a_line_that_is_no_json_is_repaired_from_its_text_and_gets_an_id_by_its_place(home: Settings) -> None:
    replayer = open_replayer(home)

    def rebuild(event: dict[str, Any]) -> dict[str, Any]:
        assert event == {"raw": "{broken"}
        fields = {"v": 1, "kind": "click", "subject": SUBJECT, "item_id": "i", "source": "repaired"}
        return {**fields, "occurred_at": 0, "received_at": 0}

    report = replayer.run("undecodable", repair=rebuild)
    drain(home)

    assert report.replayed == 1
    assert "replay-0-0-5" in landed_ids(home)
    assert_the_sums_agree(home)


def test_an_event_that_its_sender_sent_again_meanwhile_is_a_duplicate(home: Settings) -> None:
    again = line(id="r0", subject=f"{0:032x}", **{**BROKEN, "value": 4})
    append(open_log(home.log), again, partition=partition_of(f"{0:032x}", 4))
    drain(home)

    report = replayed(home)
    drain(home)

    assert outcomes(open_lake(home), places_frame(report.went_to)) == {"duplicate": 1, "landed": 4}
    assert_the_sums_agree(home)


def test_a_row_refused_again_after_all_is_a_new_row_that_can_be_replayed(home: Settings) -> None:
    log = open_log(home.log)
    Replayer(open_lake(home), log, home).run("contract_broken", repair=into_scale)
    drain(override_settings(home, max_event_bytes=10))
    lake = open_lake(home)
    assert {g.code: (g.rows, g.replayed) for g in groups(lake)}["too_large"] == (5, 0)

    report = Replayer(lake, log, home).run("too_large")
    drain(home)

    assert report.replayed == 5
    assert len(landed_ids(home)) == 6
    assert_the_sums_agree(home)


def test_a_condition_chooses_rows(home: Settings) -> None:
    report = replayed(home, where="id IN ('r1', 'r3')")

    assert report.replayed == 2


@pytest.mark.parametrize(("code", "words"), [("duplicate", "nothing to replay"), ("nonsense", "is unknown")])
def test_a_code_of_which_nothing_can_be_replayed_is_refused(home: Settings, code: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_replayer(home).run(code)


def test_a_gateway_retry_of_a_replayed_event_is_a_duplicate(settings: Settings) -> None:
    intake = open_intake(settings)
    intake.submit([{"kind": "click", "id": "other", "user_id": "u", "item_id": "i"}])
    drain(settings)
    subject = open_lake(settings).scan(FEEDBACK).collect()["subject"][0]

    append_lines(intake.log, [line(id="e", subject=subject, source="api")], now=intake._clock())

    (verdict,) = intake.submit([{"kind": "click", "id": "e", "user_id": "u", "item_id": "i"}])
    assert verdict.verdict == "duplicate"


def test_what_a_replay_notes_and_appends_is_redacted(settings: Settings) -> None:
    written = {"text": "mail anna@example.com", "attributes": '{"note":"0171 1234567"}'}
    log = open_log(settings.log)
    append(log, line(id="r", subject="b" * 32, **BROKEN, **written))
    log.close()
    drain(override_settings(settings, landing_redact=[]))  # a release before redaction, or a home that had it off
    lake = open_lake(settings)
    assert "anna@example.com" in lake.scan(QUARANTINE).select("raw").collect().item()
    log = open_log(settings.log)
    with pytest.raises(Crash):
        Replayer(lake, log, settings, fault=crash_at("after plan")).run("contract_broken", repair=into_scale)
    (plan,) = ReplayLedger(lake).open_plans()
    noted = plan.lines[0].line
    assert "anna@example.com" not in noted
    assert "[phone]" in noted
    assert Replayer(lake, log, settings).run("contract_broken", repair=into_scale).resumed == 1
    log.close()
    assert drain(settings).found == {}  # nothing is left to find
    row = lake.scan(FEEDBACK).select("text", "attributes", "redaction_version").collect().row(0)
    assert row == ("mail [email]", '{"note":"[phone]"}', VERSION)
