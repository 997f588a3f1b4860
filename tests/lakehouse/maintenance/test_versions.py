"""Tables that are replaced as a whole keep so many versions, and a log no longer than these need."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse.lake import Lake
from lakehouse.maintenance.versions import HistoryRemoved, kept_versions, obsolete_entries, readable_from, trim_history
from lakehouse.tables.interactions import INTERACTIONS
from tests.conftest import NOW

ROW = {
    "subject": "s", "preference": 1.0, "weight": 1.0, "implicit": 0.0, "events": 1, "first_at": NOW, "last_at": NOW,
}  # fmt: skip


def replace(lake: Lake, number: int) -> int:
    """Replace the table by one row that names the number."""
    row = {**dict.fromkeys(INTERACTIONS.names), **ROW, "item_id": f"i{number}"}
    return lake.overwrite(INTERACTIONS, pa.Table.from_pylist([row], schema=INTERACTIONS.schema))


def entry(version: int, kind: str = "json") -> str:
    return f"{version:020d}.{kind}"


def test_the_newest_versions_are_kept_as_far_as_they_can_be_read() -> None:
    assert kept_versions(9, 0, keep=3) == [7, 8, 9]
    assert kept_versions(9, 8, keep=3) == [8, 9]
    assert kept_versions(1, 0, keep=3) == [0, 1]


def test_a_log_can_be_read_from_its_beginning_or_from_its_oldest_checkpoint() -> None:
    assert readable_from([entry(0), entry(1), entry(1, "checkpoint.parquet")]) == 0
    assert readable_from([entry(7), entry(5, "checkpoint.parquet"), entry(9, "checkpoint.parquet")]) == 5
    assert readable_from(["_last_checkpoint"]) == 0


def test_log_entries_go_up_to_the_checkpoint_that_the_oldest_kept_version_starts_at() -> None:
    log = [*(entry(version) for version in range(10)), entry(3, "checkpoint.parquet"), entry(8, "checkpoint.parquet")]

    assert obsolete_entries(log, 2) == []
    assert obsolete_entries(log, 7) == [entry(0), entry(1), entry(2)]
    assert obsolete_entries(log, 8) == [*(entry(version) for version in range(8)), entry(3, "checkpoint.parquet")]


def test_kept_versions_read_as_before_and_the_rest_is_gone(lake: Lake) -> None:
    first = replace(lake, 0)
    for number in range(1, 20):
        replace(lake, number)
        trim_history(lake, INTERACTIONS, keep=4)

    newest = first + 19
    read = [lake.scan(INTERACTIONS, version=v).collect()["item_id"][0] for v in range(newest - 3, newest + 1)]
    assert read == ["i16", "i17", "i18", "i19"]
    folder = Path(lake.uri(INTERACTIONS))
    assert len(list(folder.glob("*.parquet"))) == 4
    assert len(list((folder / "_delta_log").iterdir())) <= 3 * 4
    assert lake.table(INTERACTIONS).version() == newest
    assert trim_history(lake, INTERACTIONS, keep=4) == HistoryRemoved()


def test_a_table_that_does_not_exist_has_no_history(lake: Lake) -> None:
    assert trim_history(lake, INTERACTIONS, keep=4) == HistoryRemoved()


def test_fewer_versions_than_are_kept_lose_nothing(lake: Lake) -> None:
    first = replace(lake, 0)
    replace(lake, 1)

    assert trim_history(lake, INTERACTIONS, keep=30) == HistoryRemoved()
    assert lake.scan(INTERACTIONS, version=first).collect()["item_id"][0] == "i0"


@pytest.mark.parametrize("later", [2, 4])
def test_what_a_longer_history_left_is_cut_at_once(lake: Lake, later: int) -> None:
    first = replace(lake, 0)
    for number in range(1, 8):
        replace(lake, number)

    removed = trim_history(lake, INTERACTIONS, keep=later)

    assert removed.files == 8 - later
    assert lake.scan(INTERACTIONS, version=first + 7).collect()["item_id"][0] == "i7"
