from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from feedback.errors import LakeError
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from lakehouse.maintenance.orphans import StoredFile, find_orphans, remove_orphans
from lakehouse.tables.feedback import FEEDBACK
from tests.conftest import NOW
from tests.lakehouse.rows import batch

HOUR = timedelta(hours=1)
OLD, YOUNG = NOW - 2 * HOUR, NOW - HOUR / 2


@pytest.mark.parametrize(
    ("path", "modified", "orphan"),
    [
        ("landed_on=2026-03-01/a.parquet", OLD, False),
        ("landed_on=2026-03-01/b.parquet", OLD, True),
        ("landed_on=2026-03-01/b.parquet", YOUNG, False),
        ("landed_on=2026-03-01/c d.parquet", OLD, False),
        ("landed_on=2026-03-01/part-0.parquet#1", OLD, True),
        ("_delta_log/00000000000000000007.json", OLD, False),
        ("_delta_log/00000000000000000007.checkpoint.parquet", OLD, False),
        ("_delta_log/00000000000000000008.json#1", OLD, True),
        ("_delta_log/_commit_1f.json.tmp", OLD, True),
        ("_delta_log/00000000000000000008.json#1", YOUNG, False),
    ],
    ids=["named", "not named", "not named, young", "named in other writing", "staged data", "log", "checkpoint",
         "staged commit", "temporary commit", "staged commit, young"],
)  # fmt: skip
def test_an_orphan_is_old_and_nothing_names_it(path: str, modified: object, orphan: bool) -> None:
    listed = [StoredFile(path, 1, modified)]  # type: ignore[arg-type]
    named = ["landed_on=2026-03-01/a.parquet", "landed_on=2026-03-01/c%20d.parquet"]

    assert bool(find_orphans(listed, named, now=NOW, older_than=HOUR)) is orphan


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    committer = LandingCommitter(lake, "feedback", 1)
    for number in range(3):
        committer.commit(batch(number, number + 1), at=NOW)
    return lake


def aged(path: Path) -> Path:
    path.touch()
    os.utime(path, (time.time() - 7200,) * 2)
    return path


def remove(lake: Lake) -> list[str]:
    from feedback.intake import utc_now

    return [o.path for o in remove_orphans(lake, FEEDBACK, lake.table(FEEDBACK), now=utc_now(), older_than=HOUR)]


def test_only_what_is_old_and_unnamed_goes_and_the_rows_stay(lake: Lake) -> None:
    folder = Path(lake.uri(FEEDBACK), "landed_on=2026-03-01")
    for file in folder.iterdir():
        aged(file)
    orphan, young = aged(folder / "orphan.parquet"), folder / "running-batch.parquet"
    young.touch()

    assert remove(lake) == ["landed_on=2026-03-01/orphan.parquet"]
    assert (orphan.exists(), young.exists()) == (False, True)
    assert lake.row_count(FEEDBACK) == 3


def test_replaced_files_are_no_orphans_so_readers_keep_them(lake: Lake) -> None:
    before = lake.file_uris(FEEDBACK)
    lake.table(FEEDBACK).optimize.compact()
    for file in Path(lake.uri(FEEDBACK), "landed_on=2026-03-01").iterdir():
        aged(file)

    assert remove(lake) == []
    assert all(Path(file).exists() for file in before)


def test_a_listing_that_lacks_a_file_of_the_table_is_not_trusted(lake: Lake) -> None:
    lost = Path(lake.file_uris(FEEDBACK)[0])
    orphan = aged(lost.with_name("orphan.parquet"))
    lost.rename(lost.with_suffix(".elsewhere"))

    with pytest.raises(LakeError, match="no orphan is removed until that is repaired"):
        remove(lake)

    assert orphan.exists()
