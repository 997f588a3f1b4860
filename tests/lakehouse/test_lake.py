from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from feedback.errors import ContractViolation, LakeError, TableMissing
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import Column, TableSpec
from tests.lakehouse.rows import rows


def test_reading_a_table_that_was_never_written_says_what_makes_it(lake: Lake) -> None:
    with pytest.raises(TableMissing, match="heed run"):
        lake.scan(FEEDBACK)
    assert lake.version(FEEDBACK) is None
    assert lake.row_count(FEEDBACK) == 0


def test_rows_come_back_by_version(lake: Lake) -> None:
    first = lake.append(FEEDBACK, rows(FEEDBACK, {"id": "a", "log_offset": 0}))
    lake.overwrite(FEEDBACK, rows(FEEDBACK, {"id": "b", "log_offset": 0}))

    assert lake.scan(FEEDBACK).collect()["id"].to_list() == ["b"]
    assert lake.scan(FEEDBACK, version=first).collect()["id"].to_list() == ["a"]
    assert len(lake.file_uris(FEEDBACK)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["kind"]), r"missing columns \['kind'\]"),
        (lambda t: t.append_column("extra", pa.array([1])), r"unknown columns \['extra'\]"),
        (lambda t: t.set_column(1, "id", pa.nulls(1, pa.string())), "1 nulls"),
        (lambda t: t.set_column(8, "value", pa.array(["much"])), "feedback.value: expected double"),
    ],
    ids=["missing", "unknown", "null", "type"],
)
def test_a_frame_that_breaks_its_spec_is_refused(lake: Lake, change, words: str) -> None:  # noqa: ANN001
    good = rows(FEEDBACK, {"id": "a", "log_offset": 0})
    assert good.column_names[8] == "value"

    with pytest.raises(ContractViolation, match=words):
        lake.append(FEEDBACK, change(good))


def test_a_spec_that_gains_a_column_widens_the_table_and_old_readers_go_on(lake: Lake) -> None:
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "old", "log_offset": 0}))
    wider = dataclasses.replace(
        FEEDBACK,
        version=FEEDBACK.version + 1,
        columns=(*FEEDBACK.columns, Column("mood", pa.string(), "mood", personal=False)),
    )

    assert lake.scan(wider).select("mood").collect()["mood"].to_list() == [None]
    lake.append(wider, rows(FEEDBACK, {"id": "new", "log_offset": 1}).append_column("mood", pa.array(["glad"])))

    assert sorted(lake.scan(FEEDBACK).collect()["id"]) == ["new", "old"]
    moods = lake.scan(wider).select("id", "mood").collect()
    assert dict(moods.iter_rows()) == {"old": None, "new": "glad"}


def test_a_new_column_must_be_nullable(lake: Lake) -> None:
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "old", "log_offset": 0}))
    needy = Column("mood", pa.string(), "mood", nullable=False, personal=False)

    with pytest.raises(ContractViolation, match="must be nullable"):
        lake.ensure(dataclasses.replace(FEEDBACK, columns=(*FEEDBACK.columns, needy)))


@pytest.mark.parametrize("name", TABLES)
def test_every_spec_has_a_key_and_partitions_among_its_columns_and_meanings(name: str) -> None:
    spec = TABLES[name]

    assert {*spec.key, *spec.partition_by, *spec.stats_columns} <= set(spec.names)
    assert all(column.meaning for column in spec.columns)


def test_ids_of_persons_and_texts_never_stand_in_the_delta_log(lake: Lake, tmp_path: Path) -> None:
    from lakehouse.commit import LandingCommitter
    from tests.conftest import NOW
    from tests.lakehouse.rows import batch

    LandingCommitter(lake, "feedback", 1).commit(batch(0, 3), at=NOW)

    log = b"".join(path.read_bytes() for path in tmp_path.rglob("_delta_log/*.json"))
    assert b"s" * 32 not in log
    assert b"numRecords" in log


@pytest.mark.parametrize("spec", TABLES.values(), ids=lambda spec: spec.name)
def test_statistics_cover_some_column_of_each_table_and_no_personal_one(lake: Lake, spec: TableSpec) -> None:
    covered = lake.ensure(spec).metadata().configuration["delta.dataSkippingStatsColumns"]

    assert covered
    assert not {column.name for column in spec.columns if column.personal}.intersection(covered.split(","))


def test_scans_are_lazy(lake: Lake) -> None:
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "a", "log_offset": 0}))

    assert isinstance(lake.scan(FEEDBACK), pl.LazyFrame)


@pytest.fixture
def torn(lake: Lake) -> tuple[Path, Path]:
    """A table whose log lacks a commit in the middle, as a listing that was overtaken by commits shows it."""
    for number in range(4):
        lake.append(FEEDBACK, rows(FEEDBACK, {"id": str(number), "log_offset": number}))
    commit = Path(lake.uri(FEEDBACK), "_delta_log", f"{2:020}.json")
    away = commit.with_suffix(".away")
    commit.rename(away)
    return commit, away


def test_a_log_that_was_listed_while_it_grew_is_looked_at_again(lake: Lake, torn: tuple[Path, Path]) -> None:
    commit, away = torn
    timer = threading.Timer(0.05, away.rename, [commit])
    timer.start()

    assert lake.table(FEEDBACK).version() == 4

    timer.join()


def test_a_log_that_really_lacks_a_commit_is_an_error(lake: Lake, torn: tuple[Path, Path]) -> None:
    with pytest.raises(LakeError, match="contiguous commit files"):
        lake.table(FEEDBACK)


NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "nowhere",
    "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "max_retries": "0",
}  # fmt: skip


@pytest.mark.parametrize(("root", "options"), [("s3://bucket/lake", NOWHERE), ("/dev/null/lake", {})])
def test_a_store_that_cannot_be_used_is_an_error_of_ours_in_one_plain_line(root: str, options: dict[str, str]) -> None:
    with pytest.raises(LakeError, match=f"table feedback at {root}/feedback cannot be (looked for|made): .") as refused:
        Lake(root, options).ensure(FEEDBACK)

    assert str(refused.value).isprintable()
    assert "  " not in str(refused.value)
