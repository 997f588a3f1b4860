from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback.errors import ImportFileError
from gateway.files.columns import ImportPlan
from gateway.files.importing import ImportReport
from tests.gateway.files.importing import RATINGS, Importing

AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
NANOSECONDS = 1704164645123456789
MICROSECONDS = 1704164645123456


def send(importing: Importing, table: pa.Table, plan: ImportPlan = RATINGS) -> ImportReport:
    path = importing.folder / "written.parquet"
    pq.write_table(table, path)
    return importing.file("r.parquet", Path(path).read_bytes(), plan)


def ratings(at: pa.Array, **more: Any) -> pa.Table:
    rows = len(at)
    columns = {"user_id": list(range(rows)), "item_id": [f"i{n}" for n in range(rows)], "value": [4.0] * rows}
    return pa.table({**columns, **more, "occurred_at": at})


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit_and_zone_are_taken(importing: Importing, unit: str, zone: str | None) -> None:
    whole = {"s": 1704164645, "ms": 1704164645123, "us": MICROSECONDS, "ns": NANOSECONDS}[unit]

    report = send(importing, ratings(pa.array([whole, None], pa.timestamp(unit, zone))))

    assert report.counts.accepted == 2
    told = importing.events()[0].occurred_at
    assert told == {"s": 1704164645000000, "ms": 1704164645123000}.get(unit, MICROSECONDS)


@pytest.mark.parametrize(
    "at",
    [pa.array([date(2024, 1, 2)]), pa.array(["2024-01-02"]), pa.array(["2024-01-02"]).dictionary_encode(),
     pa.array(["2024-01-02"], pa.large_string()), pa.array([20240102]), pa.array([date(2024, 1, 2)], pa.date64())],
    ids=["date32", "text", "categorical", "large text", "digits", "date64"],
)  # fmt: skip
def test_dates_of_every_type_are_taken(importing: Importing, at: pa.Array) -> None:
    assert send(importing, ratings(at)).counts.accepted == 1
    assert importing.events()[0].occurred_at == 1704153600000000


@pytest.mark.parametrize(
    ("ids", "expected"),
    [(pa.array([42]), "42"), (pa.array([42.0]), "42"), (pa.array([42.0], pa.float32()), "42"),
     (pa.array([Decimal(42)]), "42"), (pa.array(["042"]).dictionary_encode(), "042"), (pa.array([b"42"]), "42"),
     (pa.array([2**63 + 1], pa.uint64()), str(2**63 + 1)), (pa.array(["é"], pa.large_string()), "é")],
    ids=["int", "float", "float32", "decimal", "categorical", "binary", "uint64", "large text"],
)  # fmt: skip
def test_ids_of_every_type_are_their_text(importing: Importing, ids: pa.Array, expected: str) -> None:
    report = send(importing, ratings(pa.array([AT]), item_id=ids))

    assert report.counts.accepted == 1
    assert importing.events()[0].item_id == expected
    assert [note.note for note in report.notes] == (["float_id"] if pa.types.is_floating(ids.type) else [])


def test_a_cell_that_cannot_be_taken_refuses_its_row_alone(importing: Importing) -> None:
    table = ratings(
        pa.array([AT] * 5),
        item_id=pa.array(["i0", None, "i2", "i3", "i4"]),
        value=pa.array([4.0, 4.0, float("nan"), float("inf"), 4.0]),
    )

    send(importing, table)

    assert [(row["row"], row["code"], row["field"]) for row in importing.refused()] == [
        (2, "missing_field", "item_id"), (3, "missing_field", "value"), (4, "out_of_range", "value"),
    ]  # fmt: skip


def test_a_time_that_no_calendar_holds_refuses_its_row_alone(importing: Importing) -> None:
    send(importing, ratings(pa.array([MICROSECONDS, 2**62], pa.timestamp("us"))))

    assert [(row["row"], row["code"]) for row in importing.refused()] == [(2, "bad_time")]
    assert importing.events()[0].occurred_at == MICROSECONDS


def test_lists_decimals_and_flags_of_items_are_taken(importing: Importing) -> None:
    table = pa.table({"item_id": [1], "title": [1984], "categories": [["a", "b"]], "price": [Decimal("9.90")],
                      "available": [False], "released_at": [date(1999, 1, 1)]})  # fmt: skip

    assert send(importing, table, ImportPlan(kind="item")).counts.accepted == 1
    (payload,) = importing.payloads()
    assert (payload["title"], payload["categories"], payload["available"]) == ("1984", ["a", "b"], False)
    assert importing.events()[0].price == 9.9


def test_two_columns_of_one_name_and_cut_files_are_refused(importing: Importing) -> None:
    doubled = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["value", "value"])
    with pytest.raises(ImportFileError, match="both named 'value'"):
        send(importing, doubled)

    pq.write_table(ratings(pa.array([AT])), importing.folder / "x.parquet")
    data = (importing.folder / "x.parquet").read_bytes()
    with pytest.raises(ImportFileError, match="not a readable Parquet file"):
        importing.file("r.parquet", data[:-20])
