"""What maintenance decides, from statistics alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from lakehouse.lake import CHECKPOINT_EVERY_COMMITS
from lakehouse.maintenance.plan import (
    CLOSED_SMALL_FILES,
    FILE_BYTES,
    MAX_CLOSED_FILES,
    MEBIBYTE,
    OPEN_FILE_BYTES,
    OPEN_SMALL_FILES,
    Action,
    PartitionFiles,
    Retention,
    TableStatistics,
    Work,
    closed_target,
    cluster_columns,
    due,
    last_closed_day,
    plainly,
    plan,
    properties,
)
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.interactions import INTERACTIONS
from lakehouse.tables.quarantine import QUARANTINE
from lakehouse.tables.spec import TableSpec
from lakehouse.tables.windows import SIGNALS

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)
RETENTION = Retention(landing_hours=4, history_hours=168, orphan_seconds=3600)
SMALL, FULL = 20_000, OPEN_FILE_BYTES


def state(spec: TableSpec, *partitions: PartitionFiles, **changes: object) -> TableStatistics:
    fitting = TableStatistics(
        version=10,
        checkpoint=None,
        rewritten_to=None,
        partitions=partitions,
        properties=properties(spec, RETENTION),
    )
    return msgspec.structs.replace(fitting, **changes)


def files(day: date | None, *sizes: int) -> PartitionFiles:
    return PartitionFiles(day=day, sizes=sizes)


def works(spec: TableSpec, statistics: TableStatistics, *, vacuum: bool = False) -> list[tuple[Work, date | None]]:
    return [(action.work, action.day) for action in plan(spec, statistics, RETENTION, now=NOW, vacuum=vacuum)]


@pytest.mark.parametrize(
    ("spec", "partition", "expected"),
    [
        (FEEDBACK, files(TODAY, *[SMALL] * OPEN_SMALL_FILES), []),
        (FEEDBACK, files(TODAY, *[SMALL] * (OPEN_SMALL_FILES + 1)), [(Work.COMPACT, TODAY)]),
        (FEEDBACK, files(TODAY, *[FULL] * 300), []),
        (FEEDBACK, files(YESTERDAY, SMALL), [(Work.CLUSTER, YESTERDAY)]),
        (
            FEEDBACK,
            files(YESTERDAY, *[SMALL] * (OPEN_SMALL_FILES + 1)),
            [(Work.COMPACT, YESTERDAY), (Work.CLUSTER, YESTERDAY)],
        ),
        (SIGNALS, files(YESTERDAY, SMALL), [(Work.SUPERSEDE, YESTERDAY)]),
        (QUARANTINE, files(YESTERDAY, *[SMALL] * CLOSED_SMALL_FILES), []),
        (QUARANTINE, files(YESTERDAY, *[SMALL] * (CLOSED_SMALL_FILES + 1)), [(Work.COMPACT, YESTERDAY)]),
        (QUARANTINE, files(YESTERDAY, *[FILE_BYTES] * (MAX_CLOSED_FILES + 1)), [(Work.COMPACT, YESTERDAY)]),
        (INTERACTIONS, files(None, *[SMALL] * (OPEN_SMALL_FILES + 1)), [(Work.COMPACT, None)]),
        (INTERACTIONS, files(None, SMALL), []),
    ],
    ids=[
        "an open day with few small files",
        "an open day with many",
        "an open day with many full ones",
        "a closed day of a clustered table",
        "a closed day of a clustered table with many small files",
        "a closed day of a table whose rows replace each other",
        "a closed day with few small files",
        "a closed day with many",
        "a closed day with too many large ones",
        "a table without days",
        "a table of one file",
    ],
)
def test_files_are_put_together_where_it_pays(
    spec: TableSpec, partition: PartitionFiles, expected: list[tuple[Work, date | None]]
) -> None:
    assert works(spec, state(spec, partition)) == expected


def test_a_closed_day_is_clustered_once_and_latecomers_are_only_compacted() -> None:
    few = files(YESTERDAY, FULL, SMALL)
    many = files(YESTERDAY, FULL, *[SMALL] * 20)

    assert works(FEEDBACK, state(FEEDBACK, few, rewritten_to=YESTERDAY)) == []
    assert works(FEEDBACK, state(FEEDBACK, many, rewritten_to=YESTERDAY)) == [(Work.COMPACT, YESTERDAY)]


def test_panes_that_came_late_to_a_closed_day_are_superseded_too_and_move_no_mark() -> None:
    small = [SMALL] * (CLOSED_SMALL_FILES + 1)

    actions = plan(
        SIGNALS, state(SIGNALS, files(YESTERDAY, *small), rewritten_to=TODAY), RETENTION, now=NOW, vacuum=False
    )

    assert [(action.work, action.day, action.marks) for action in actions] == [(Work.SUPERSEDE, YESTERDAY, False)]


def test_closed_days_are_clustered_in_order_for_the_mark_is_the_newest() -> None:
    days = [TODAY - timedelta(days=back) for back in (2, 5, 1)]
    actions = plan(FEEDBACK, state(FEEDBACK, *(files(day, SMALL) for day in days)), RETENTION, now=NOW, vacuum=False)

    assert [action.day for action in actions] == sorted(days)
    assert all(action.marks for action in actions)


@pytest.mark.parametrize(("checkpoint", "expected"), [(None, 1), (100, 1), (101, 0), (200, 0)])
def test_a_checkpoint_is_due_by_the_commits_since_the_last(checkpoint: int | None, expected: int) -> None:
    statistics = state(FEEDBACK, version=100 + CHECKPOINT_EVERY_COMMITS, checkpoint=checkpoint)

    assert works(FEEDBACK, statistics).count((Work.CHECKPOINT, None)) == expected


def test_the_checkpoint_comes_first_and_removal_last() -> None:
    statistics = state(FEEDBACK, files(YESTERDAY, SMALL), version=500, properties={})

    assert [work for work, _ in works(FEEDBACK, statistics, vacuum=True)] == [
        Work.CHECKPOINT, Work.PROPERTIES, Work.CLUSTER, Work.VACUUM, Work.CLEAN_LOG,
    ]  # fmt: skip


def test_tables_that_land_keep_hours_and_tables_of_the_loop_keep_days() -> None:
    assert properties(FEEDBACK, RETENTION)["delta.logRetentionDuration"] == "interval 4 hours"
    assert properties(INTERACTIONS, RETENTION)["delta.deletedFileRetentionDuration"] == "interval 168 hours"


@pytest.mark.parametrize("gigabytes", [0.001, 1, 5, 40, 400])
def test_a_closed_day_of_any_size_fits_in_fifty_files(gigabytes: float) -> None:
    total = int(gigabytes * 1024 * MEBIBYTE)

    assert total / closed_target(total) <= MAX_CLOSED_FILES * 0.8
    assert closed_target(total) >= FILE_BYTES


def test_a_day_closes_an_hour_after_midnight_in_utc() -> None:
    midnight = datetime(2026, 3, 10, 0, 0, tzinfo=UTC)

    assert last_closed_day(midnight + timedelta(minutes=59)) == date(2026, 3, 8)
    assert last_closed_day(midnight + timedelta(minutes=60)) == date(2026, 3, 9)


def test_a_day_that_is_too_large_to_sort_is_compacted_and_counts_as_done() -> None:
    action = Action(table="feedback", work=Work.CLUSTER, day=YESTERDAY, target_bytes=7, marks=True)

    assert (plainly(action).work, plainly(action).marks, plainly(action).target_bytes) == (Work.COMPACT, True, 7)


def test_columns_that_a_table_does_not_have_are_no_cluster_columns() -> None:
    assert cluster_columns(FEEDBACK) == [name for name in FEEDBACK.cluster_by if name in FEEDBACK.names]
    assert {"country", "subject"} <= set(cluster_columns(FEEDBACK))


def test_something_is_due_at_first_and_after_its_time() -> None:
    hour = timedelta(hours=1)

    assert due(None, hour, NOW)
    assert not due(NOW - timedelta(minutes=59), hour, NOW)
    assert due(NOW - hour, hour, NOW)
