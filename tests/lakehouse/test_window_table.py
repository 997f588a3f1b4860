from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from deltalake import Field
from deltalake.transaction import AddAction

from feedback.errors import LakeError, StalePosition, TableMissing
from feedback.settings.home import Settings
from lakehouse.data_files import write_files
from lakehouse.lake import Lake, open_lake
from lakehouse.maintenance.run import run_maintenance
from lakehouse.maintenance.superseded_panes import keep_latest_panes
from lakehouse.sketches import added, opened, stored
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.windows import SIGNALS
from lakehouse.window_rows import Mark
from lakehouse.window_table import WindowsPublisher, figures, landed_between, read_windows
from tests.conftest import NOW
from tests.lakehouse.rows import rows
from tests.online.window_store_conformance import window_rows

MINUTE = int(NOW.timestamp())


def people(*numbers: int) -> bytes:
    return stored(added(opened(None), numbers))


def test_a_later_pane_replaces_an_earlier_one_and_partitions_add_up(lake: Lake) -> None:
    publisher = WindowsPublisher(lake, "feedback")
    at = {"start": MINUTE, "size_seconds": 60}
    publisher.publish(window_rows({**at, "events": 1, "people": people(1)}), {0: Mark(1, 1)}, at=NOW)
    publisher.publish(
        window_rows(
            {**at, "events": 4, "opinions": 4, "positive": 3, "negative": 1, "people": people(1, 2)},
            {**at, "events": 2, "people": people(2, 3), "log_partition": 1, "final": True},
        ),
        {0: Mark(2, 4), 1: Mark(1, 2)},
        at=NOW,
    )

    (row,) = read_windows(lake).to_dicts()

    assert (row["events"], row["people"], row["final"]) == (6, 3, False)
    assert (row["window_start"], row["window_end"]) == (NOW, NOW.replace(minute=1))
    assert (row["positive_share"], row["negative_share"]) == (0.75, 0.25)


def test_figures_are_null_where_nothing_was_answered_and_right_where_something_was() -> None:
    asked = {
        "ratings": 2, "rating_millionths": 1_750_000, "nps_promoters": 5, "nps_passives": 2, "nps_detractors": 3,
        "csat_answered": 4, "csat_satisfied": 3,
    }  # fmt: skip

    full, empty = figures(window_rows({"start": 10, **asked}, {"start": 0, "events": 1})).to_dicts()

    assert full["mean_rating"] == pytest.approx(4.5)
    assert full["nps"] == pytest.approx(20.0)
    assert full["csat"] == 0.75
    assert all(empty[name] is None for name in ("mean_rating", "nps", "csat", "positive_share", "negative_share"))


def test_reading_can_be_narrowed(lake: Lake) -> None:
    item = {"scope": "item", "key": "a", "start": MINUTE}
    given = window_rows(
        {"start": MINUTE}, item, {**item, "key": "b"}, {**item, "size_seconds": 3600}, {**item, "start": MINUTE - 3600}
    )
    WindowsPublisher(lake, "feedback").publish(given, {0: Mark(1, 1)}, at=NOW)

    assert read_windows(lake).height == 5
    assert read_windows(lake, scope="item", key="a", size_seconds=10, since=NOW).height == 1
    assert read_windows(lake, since=NOW).height == 4
    assert read_windows(lake, size_seconds=3600)["key"].to_list() == ["a"]


def test_a_pane_that_is_not_above_the_committed_one_is_refused_and_nothing_is_written(lake: Lake) -> None:
    first, second = WindowsPublisher(lake, "feedback"), WindowsPublisher(lake, "feedback")
    first.marks(2)
    second.marks(2)
    first.publish(window_rows({"events": 5}), {0: Mark(3, 5)}, at=NOW)

    with pytest.raises(StalePosition, match="partition 0: pane 3 comes after pane 3"):
        second.publish(window_rows({"events": 4}), {0: Mark(3, 4)}, at=NOW)

    assert read_windows(lake)["events"].to_list() == [5]
    assert second.marks(2) == {0: Mark(3, 5)}


def test_workers_with_partitions_of_their_own_publish_beside_each_other(lake: Lake) -> None:
    first, second = WindowsPublisher(lake, "feedback"), WindowsPublisher(lake, "feedback")
    first.marks(2)
    second.marks(2)

    for pane in (1, 2, 3):
        first.publish(window_rows({"events": pane}), {0: Mark(pane, pane)}, at=NOW)
        second.publish(window_rows({"events": pane, "log_partition": 1}), {1: Mark(pane, pane)}, at=NOW)

    assert read_windows(lake)["events"].to_list() == [6]


def test_a_store_without_room_is_an_error_of_ours(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    publisher = WindowsPublisher(lake, "feedback")
    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.parquet.write_table", full)
        with pytest.raises(LakeError, match=r"table signals .* No space left on device"):
            publisher.publish(window_rows({"events": 1}), {0: Mark(1, 1)}, at=NOW)

    publisher.publish(window_rows({"events": 1}), {0: Mark(1, 1)}, at=NOW)
    assert read_windows(lake)["events"].to_list() == [1]


def test_a_rewritten_day_keeps_its_latest_panes_and_other_days_are_left(lake: Lake) -> None:
    publisher = WindowsPublisher(lake, "feedback")
    for pane in range(1, 5):
        given = window_rows({"start": MINUTE, "events": pane}, {"start": MINUTE - 86_400, "events": pane})
        publisher.publish(given, {0: Mark(pane, pane)}, at=NOW)
    before = read_windows(lake)

    assert keep_latest_panes(lake, NOW.date(), at=NOW).rows_dropped == 3
    assert keep_latest_panes(lake, NOW.date(), at=NOW).rows_dropped == 0

    assert read_windows(lake).equals(before)
    assert lake.row_count(SIGNALS) == 1 + 4
    publisher.publish(window_rows({"start": MINUTE, "events": 9}), {0: Mark(5, 9)}, at=NOW)
    assert read_windows(lake, since=NOW)["events"].to_list() == [9]


def test_panes_that_come_while_a_day_is_rewritten_stay(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = WindowsPublisher(lake, "feedback")
    for pane in (1, 2):
        publisher.publish(window_rows({"start": MINUTE, "events": pane}), {0: Mark(pane, pane)}, at=NOW)

    def write(*args: object, **named: object) -> list[AddAction]:
        monkeypatch.undo()
        publisher.publish(window_rows({"start": MINUTE, "events": 7}), {0: Mark(3, 3)}, at=NOW)
        return write_files(*args, **named)

    monkeypatch.setattr("lakehouse.maintenance.superseded_panes.write_files", write)
    keep_latest_panes(lake, NOW.date(), at=NOW)

    assert lake.scan(SIGNALS).select(pl.col("pane").sort()).collect()["pane"].to_list() == [2, 3]
    assert read_windows(lake)["events"].to_list() == [7]


def test_a_table_that_a_newer_release_has_widened_is_left_as_it_is(lake: Lake) -> None:
    publisher = WindowsPublisher(lake, "feedback")
    publisher.publish(window_rows({"start": MINUTE}), {0: Mark(1, 1)}, at=NOW)
    lake.table(SIGNALS).alter.add_columns([Field("mood", "string")])

    with pytest.raises(LakeError, match="left as it is, for a newer release has added mood"):
        keep_latest_panes(lake, NOW.date(), at=NOW)


def test_maintenance_rewrites_a_closed_day_once(settings: Settings) -> None:
    lake = open_lake(settings)
    publisher = WindowsPublisher(lake, "feedback")
    for pane in (1, 2, 3):
        publisher.publish(window_rows({"start": MINUTE, "events": pane}), {0: Mark(pane, pane)}, at=NOW)

    report = run_maintenance(settings)
    again = run_maintenance(settings)

    assert report.problems == again.problems == []
    assert [(table.rewritten_files, table.files_after) for table in (*report.tables, *again.tables)] == [(3, 1), (0, 1)]
    assert lake.row_count(SIGNALS) == 1
    publisher.publish(window_rows({"start": MINUTE, "events": 9}), {0: Mark(4, 9)}, at=NOW)
    assert read_windows(lake)["events"].to_list() == [9]


def test_before_the_first_pane_the_table_is_missing_by_name(lake: Lake) -> None:
    with pytest.raises(TableMissing, match="signals"):
        read_windows(lake)


def test_landed_rows_of_old_tables_have_the_time_of_admission_for_that_of_the_log(lake: Lake) -> None:
    taken = datetime(2026, 3, 2, tzinfo=UTC)
    given = [{"id": str(n), "log_offset": n, "appended_at": taken if n == 2 else None} for n in range(4)]
    lake.append(FEEDBACK, rows(FEEDBACK, *given))

    found = pl.concat(landed_between(lake, {0: (1, 3), 1: (0, 5), 2: (3, 3)}))

    assert sorted(found["appended_at"]) == [NOW, taken]  # parts come in no order of their own
    assert list(landed_between(lake, {0: (4, 4)})) == []
