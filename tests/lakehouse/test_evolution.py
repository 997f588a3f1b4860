"""Schema change: a declared column appears, and rows, readers and writers from before it go on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from feedback.errors import ContractViolation
from lakehouse.data_files import write_files
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.spec import Column, TableSpec
from tests.conftest import NOW
from tests.lakehouse.rows import rows

NEXT = FEEDBACK.version + 1


def widened(*columns: Column, version: int = NEXT) -> TableSpec:
    return replace(FEEDBACK, version=version, columns=(*FEEDBACK.columns, *columns))


MOOD = Column("mood", pa.string(), "how the person felt", added_in=NEXT, attribute="mood", personal=True)
STARS = Column("stars", pa.int64(), "stars", added_in=NEXT + 1, attribute="stars", personal=False)


def with_mood(table: pa.Table, *moods: str | None) -> pa.Table:
    return table.append_column("mood", pa.array(moods, pa.string()))


def test_rows_from_before_a_column_read_as_what_their_attributes_hold(lake: Lake) -> None:
    old = [
        {"id": "1", "log_offset": 0, "attributes": '{"mood":"glad","stars":"many"}'},
        {"id": "2", "log_offset": 1, "attributes": '{"stars":5}'},
        {"id": "3", "log_offset": 2},
    ]
    lake.append(FEEDBACK, rows(FEEDBACK, *old))
    spec = widened(MOOD, STARS, version=NEXT + 1)

    before_any_write = lake.scan(spec).sort("id").select("mood", "stars").collect()
    lake.ensure(spec)
    after_widening = lake.scan(spec).sort("id").select("mood", "stars").collect()

    assert before_any_write.rows() == after_widening.rows() == [("glad", None), (None, 5), (None, None)]


def test_what_stands_in_the_column_wins_over_the_attributes(lake: Lake) -> None:
    row = {"id": "1", "log_offset": 0, "attributes": '{"mood":"glad"}'}
    lake.append(widened(MOOD), with_mood(rows(FEEDBACK, row), "sad"))

    assert lake.scan(widened(MOOD)).select("mood").collect()["mood"].to_list() == ["sad"]


def test_old_readers_see_the_columns_they_know_and_old_writers_go_on(lake: Lake) -> None:
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "1", "log_offset": 0}))
    lake.append(widened(MOOD), with_mood(rows(FEEDBACK, {"id": "2", "log_offset": 1}), "glad"))
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "3", "log_offset": 2}))

    old = lake.scan(FEEDBACK).sort("id").collect()
    new = lake.scan(widened(MOOD)).sort("id").collect()

    assert old.columns == list(FEEDBACK.names)
    assert old["id"].to_list() == ["1", "2", "3"]
    assert new["mood"].to_list() == [None, "glad", None]


def test_a_landing_commit_of_either_release_fits_the_widened_table(lake: Lake) -> None:
    from lakehouse.commit import LandingCommitter
    from tests.lakehouse.rows import batch

    LandingCommitter(lake, "feedback", 1).commit(batch(0, 2), at=NOW)
    old_worker = LandingCommitter(lake, "feedback", 1)
    lake.ensure(widened(MOOD))

    assert old_worker.commit(batch(2, 4), at=NOW)
    assert write_files(lake, widened(MOOD), with_mood(batch(4, 5).feedback, "glad"), at=NOW)

    assert lake.scan(widened(MOOD)).select("mood").collect()["mood"].null_count() == 4
    assert lake.positions("feedback", 1) == {0: 4}


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: Column("mood", pa.string(), "mood", nullable=False, added_in=2, personal=True), "must be nullable"),
        (
            lambda: Column("mood", pa.string(), "mood", added_in=2, attribute="my mood", personal=True),
            "named like a variable",
        ),
        (
            lambda: Column("mood", pa.bool_(), "mood", added_in=2, attribute="mood", personal=True),
            "hold text or a number",
        ),
        (lambda: widened(STARS), rf"at version {NEXT}; \['stars'\] come later"),
    ],
    ids=["needed", "odd name", "odd type", "ahead of its table"],
)
def test_a_migration_that_could_not_work_is_refused_where_it_is_declared(declare, words: str) -> None:  # noqa: ANN001
    with pytest.raises(ContractViolation, match=words):
        declare()


def test_without_migrations_a_scan_is_no_dearer(lake: Lake) -> None:
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "1", "log_offset": 0}))

    assert "json_path_match" not in lake.scan(FEEDBACK).explain()
    assert "PROJECT 1/" in lake.scan(FEEDBACK).select(pl.col("id")).explain()
