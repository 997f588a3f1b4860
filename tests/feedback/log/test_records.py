"""Records in columns: they behave as the list of records that they stand for."""

from __future__ import annotations

import pytest

from feedback.log.records import LogRecord, Records

RECORDS = [
    LogRecord(0, 4, 1_000, 1, b"a"),
    LogRecord(0, 5, 1_001, 3, b"b\nb\nb", (("traceparent", b"x"),)),
    LogRecord(1, 9, 1_002, 2, b"c\nc"),
    LogRecord(1, 10, 1_003, 1, b"d", (("traceparent", b"y"),)),
]


def test_columns_give_back_the_records() -> None:
    found = Records.of(RECORDS)

    assert list(found) == RECORDS
    assert found == RECORDS
    assert found[-1] == RECORDS[-1]
    assert found != RECORDS[:3]
    assert not Records()
    with pytest.raises(IndexError):
        found[4]


@pytest.mark.parametrize("part", [slice(1, 3), slice(None, 2), slice(3, None), slice(None, None, 2)], ids=str)
def test_a_slice_keeps_each_records_headers(part: slice) -> None:
    assert Records.of(RECORDS)[part] == RECORDS[part]


def test_what_is_taken_from_the_front_and_what_is_added_at_the_end_keep_their_headers() -> None:
    found = Records.of(RECORDS)

    taken = found.take(2)
    found.extend(taken)

    assert taken == RECORDS[:2]
    assert found == RECORDS[2:] + RECORDS[:2]
    assert found.take(4) == RECORDS[2:] + RECORDS[:2]
    assert found == []


@pytest.mark.parametrize(
    ("max_events", "max_bytes", "fitting"),
    [(100, 100, 4), (4, 100, 2), (3, 100, 1), (6, 100, 3), (100, 6, 2), (100, 5, 1), (1, 1, 1), (100, 0, 1)],
)
def test_as_many_records_fit_as_stay_within_both_limits_and_at_least_one(
    max_events: int, max_bytes: int, fitting: int
) -> None:
    assert Records.of(RECORDS).within(max_events=max_events, max_bytes=max_bytes) == fitting


def test_of_no_records_none_fits() -> None:
    assert Records().within(max_events=1, max_bytes=1) == 0
