from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gateway.files.times import NoTime, time_of

AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        1704164645, "1704164645", 1704164645.0, "1704164645.0", "1.704164645e9", 1704164645000, "1704164645000",
        1704164645000000, 1704164645000000000, "20240102030405",
        "2024-01-02 03:04:05", "2024-01-02T03:04:05Z", "2024-01-02T04:04:05+01:00", "2024-01-02 03:04:05 UTC",
        "2024/01/02 03:04:05", "2024/1/2 03:04:05", "Tue, 02 Jan 2024 03:04:05 GMT", "2024-01-02T03:04:05.000000000Z",
        datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1))),  # noqa: DTZ001
    ],
    ids=str,
)  # fmt: skip
def test_a_moment_is_read_however_it_is_written(raw: object) -> None:
    assert time_of(raw) == AT


@pytest.mark.parametrize("raw", [20240131, "20240131", 20240131.0, "2024-01-31", date(2024, 1, 31), "202401310000"])
def test_a_date_is_its_first_moment_in_utc(raw: object) -> None:
    assert time_of(raw) == datetime(2024, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (5, "no plausible unix time"), ("2024", "no plausible unix time"), (202401, "no plausible"),
        (20241399, "no plausible"), (-1, "no plausible"), (45322.4, "spreadsheet"), ("45322", "spreadsheet"),
        (99999999999999999999, "no plausible"), (float("inf"), "no plausible"), (True, "bool is no time"),
        ("2/24/2015 11:35", "more than one way"), ("31.01.2024", "more than one way"), ("someday", "is no time"),
        ("4,5", "is no time"), ([1], "list is no time"), ("1" * 5000, "is no time"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_no_time_for_certain_is_none(raw: object, words: str) -> None:
    with pytest.raises(NoTime, match=words):
        time_of(raw)


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert time_of(1704164645123456789).microsecond == 123456
    assert time_of("1704164645.25").microsecond == 250000


def test_a_form_reads_what_could_be_read_in_two_ways() -> None:
    assert time_of("2/3/2015 11:35", form="%m/%d/%Y %H:%M") == datetime(2015, 2, 3, 11, 35, tzinfo=UTC)
    with pytest.raises(NoTime, match="is not written as"):
        time_of("2015-02-03", form="%m/%d/%Y")
