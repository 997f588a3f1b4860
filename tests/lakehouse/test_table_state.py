from __future__ import annotations

from pathlib import Path

from lakehouse.lake import Lake
from lakehouse.table_state import table_state
from lakehouse.tables.feedback import FEEDBACK
from tests.lakehouse.rows import rows


def test_a_table_that_was_never_written_has_no_state(lake: Lake) -> None:
    assert table_state(lake, FEEDBACK) is None


def test_rows_and_files_come_from_the_log_alone(lake: Lake) -> None:
    lake.ensure(FEEDBACK)
    made = table_state(lake, FEEDBACK)
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "a", "log_offset": 0}, {"id": "b", "log_offset": 1}))
    lake.append(FEEDBACK, rows(FEEDBACK, {"id": "c", "log_offset": 2}))
    for data in Path(lake.uri(FEEDBACK)).rglob("*.parquet"):
        data.unlink()

    state = table_state(lake, FEEDBACK)

    assert made is not None
    assert (made.version, made.rows, made.files, made.bytes) == (0, 0, 0, 0)
    assert state is not None
    assert (state.version, state.rows, state.files) == (2, 3, 2)
    assert state.bytes > 0
