"""The log's clock: absurd log times are counted and move nothing; a log that was silent or set right is followed."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from beam_jobs.batch import Poll
from beam_jobs.source.reader import Doubts
from beam_jobs.stages.admit import admit
from beam_jobs.stages.decode import decode
from beam_jobs.stages.log_clock import BACK_MS, DAY_MS, SILENCE_MS, PartitionClock, believe, believe_poll, judge
from feedback.log.port import LogRecord
from feedback.log.records import Records
from tests.conftest import NOW
from tests.support.landing.lines import line, poll

T0 = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
ABSURD = {
    "microseconds": T0 * 1000,
    "nanoseconds": T0 * 1_000_000,
    "seconds": T0 // 1000,
    "zero": 0,
    "minus one, as Kafka says where there is none": -1,
    "ten years ahead": T0 + 3650 * DAY_MS,
    "63 hours back": T0 - 63 * HOUR_MS,
    "ten years back": T0 - 3650 * DAY_MS,
}


def after(times: list[int], clock: PartitionClock = PartitionClock()) -> tuple[list[int], list[bool], PartitionClock]:  # noqa: B008 - immutable
    belief = believe(clock, np.array(times, np.int64))
    return belief.believed.tolist(), belief.is_doubted.tolist(), belief.clock


@pytest.mark.parametrize("absurd", ABSURD.values(), ids=ABSURD)
def test_an_absurd_time_between_others_is_held_at_the_clock_and_moves_nothing(absurd: int) -> None:
    believed, doubted, clock = after([T0, absurd, T0 + 1000, absurd, T0 + 2000])

    assert believed == [T0, T0, T0 + 1000, T0 + 1000, T0 + 2000]
    assert doubted == [False, True, False, True, False]
    assert clock == PartitionClock(T0 + 2000, is_firm=True)


@pytest.mark.parametrize("absurd", ABSURD.values(), ids=ABSURD)
def test_an_absurd_time_that_comes_first_of_all_is_come_back_from(absurd: int) -> None:
    _, _, clock = after([absurd, *(T0 + n * HOUR_MS for n in range(30))])

    assert clock == PartitionClock(T0 + 29 * HOUR_MS, is_firm=True)


def test_appends_that_overtake_each_other_are_held_near_the_clock_and_only_far_ones_count() -> None:
    believed, doubted, _ = after([T0, T0 - 1000, T0 - HOUR_MS, T0 + 1])

    assert believed == [T0, T0 - 1000, T0 - BACK_MS, T0 + 1]
    assert doubted == [False, False, True, False]


def test_after_a_silence_times_are_believed_at_once_and_the_clock_follows_when_they_have_lasted_a_day() -> None:
    monday = T0 + 3 * DAY_MS
    believed, doubted, clock = after([T0, monday, monday + HOUR_MS])
    assert (believed[1:], any(doubted)) == ([monday, monday + HOUR_MS], False)
    assert clock == PartitionClock(T0, monday)

    _, _, clock = after([monday + DAY_MS + 1], clock)
    assert clock == PartitionClock(monday + DAY_MS + 1, is_firm=True)


def test_a_log_that_is_written_to_once_a_week_is_followed_one_visit_behind() -> None:
    clock = PartitionClock(T0, is_firm=True)
    for week in range(1, 120):
        visit = T0 + 7 * week * DAY_MS
        believed, doubted, clock = after([visit, visit + HOUR_MS], clock)
        assert (believed, any(doubted)) == ([visit, visit + HOUR_MS], False)
        assert clock == PartitionClock(T0 + 7 * (week - 1) * DAY_MS, visit, is_firm=True)


@pytest.mark.parametrize("off", [200, -400, -3650], ids="{:+} days".format)
def test_two_wrong_clocks_one_after_the_other_do_not_move_the_clock(off: int) -> None:
    wrong = T0 + off * DAY_MS
    *_, clock = after([T0, T0 + 1, wrong, wrong + HOUR_MS, wrong + 20 * DAY_MS, wrong + 2 * HOUR_MS, T0 + HOUR_MS])

    assert clock == PartitionClock(T0 + HOUR_MS, is_firm=True)


def test_after_a_very_long_silence_the_clock_is_held_for_a_day_and_then_follows() -> None:
    back = T0 + 3 * SILENCE_MS
    believed, doubted, clock = after([T0, back, back + DAY_MS])

    assert (believed, doubted) == ([T0, T0, back + DAY_MS], [False, True, False])
    assert clock == PartitionClock(back + DAY_MS, is_firm=True)


def test_a_clock_that_was_ahead_for_an_hour_leaves_no_trace_and_one_that_was_for_days_is_come_back_from() -> None:
    ahead = T0 + 5 * DAY_MS
    assert after([T0, ahead, ahead + HOUR_MS, T0 + 2 * HOUR_MS])[2] == PartitionClock(T0 + 2 * HOUR_MS, is_firm=True)

    _, _, wrong = after([T0, ahead, ahead + DAY_MS])
    believed, doubted, clock = after([T0 + 2 * DAY_MS, T0 + 3 * DAY_MS], wrong)
    assert (believed, doubted) == ([wrong.now_ms, T0 + 3 * DAY_MS], [True, False])
    assert clock == PartitionClock(T0 + 3 * DAY_MS, is_firm=True)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_decided_does_not_depend_on_where_batches_end(seed: int) -> None:
    rng = random.Random(seed)
    times = [T0 + n * HOUR_MS * rng.choice([0, 1, 4]) for n in range(40)]
    for _ in range(8):
        times[rng.randrange(40)] = rng.choice(list(ABSURD.values()))

    whole = after(times)
    believed: list[int] = []
    clock = PartitionClock()
    while len(believed) < len(times):
        part, _, clock = after(times[len(believed) : len(believed) + rng.randint(1, 7)], clock)
        clock = PartitionClock.noted(clock.now_ms, clock.era_note)  # as it is committed and read again
        believed += part

    assert (believed, clock) == (whole[0], whole[2])
    one_by_one = PartitionClock()
    for time in times:
        *_, one_by_one = judge(one_by_one, time)
    assert one_by_one == clock


def _poll(*times: int, lines: bytes = b"") -> Poll:
    records = [LogRecord(0, n, ms, 1, lines or line(id=str(n))) for n, ms in enumerate(times)]
    return Poll(Records.of(records), {0: 0}, {0: len(records)})


@pytest.mark.parametrize("absurd", ABSURD.values(), ids=ABSURD)
def test_events_of_such_a_record_land_by_the_clock(absurd: int) -> None:
    batch = admit(decode(believe_poll(_poll(T0, absurd, T0 + 1), {})))

    assert batch.events["id"].to_list() == ["0", "1", "2"]
    assert batch.events["landed_on"].to_list() == [date(2026, 3, 1)] * 3
    assert (batch.doubted, batch.days) == (1, {0: date(2026, 3, 1)})


@pytest.mark.parametrize("first", [T0 - 3650 * DAY_MS, T0 + 3650 * DAY_MS, T0 // 1000, T0 * 1000])
def test_no_event_is_refused_by_a_clock_that_no_two_times_agree_on(first: int) -> None:
    event = line(id="now", occurred_at=T0 * 1000, received_at=T0 * 1000)
    judged = admit(decode(believe_poll(_poll(first, T0, T0 + 1, lines=event), {})))

    assert judged.events["log_offset"].to_list()[-2:] == [1, 2]


@pytest.mark.parametrize("absurd", [T0 * 1000, 1 << 60, -(1 << 60)])
def test_decoding_alone_raises_on_no_time(absurd: int) -> None:
    assert decode(_poll(absurd)).events.height == 1


@pytest.mark.parametrize("day", [T0 * 1000, T0 + 3650 * DAY_MS], ids=["microseconds", "ten years ahead"])
def test_an_event_whose_own_time_is_as_absurd_as_the_logs_is_quarantined(day: int) -> None:
    ahead = T0 * 1000 + 3650 * DAY_MS * 1000
    record = line(id="odd", occurred_at=ahead, received_at=ahead)
    batch = admit(decode(believe_poll(_poll(day, lines=record), {0: PartitionClock(T0, is_firm=True)})))

    assert batch.events.is_empty()
    assert [code for frame in batch.refused for code in frame["code"]] == ["log_time"]


@pytest.mark.parametrize("back", [2 * HOUR_MS, 63 * HOUR_MS, 3650 * DAY_MS], ids=["2 h", "63 h", "10 years"])
def test_an_event_is_not_refused_because_its_records_time_lies_back(back: int) -> None:
    """The partition has been silent for an hour, and the clock of one producer is slow."""
    now = T0 + HOUR_MS
    event = line(id="now", occurred_at=now * 1000, received_at=now * 1000)

    batch = admit(decode(believe_poll(_poll(now - back, lines=event), {0: PartitionClock(T0, is_firm=True)})))

    assert (batch.events.height, batch.doubted) == (1, 1)


@pytest.mark.parametrize("back", [2 * HOUR_MS, 63 * HOUR_MS], ids=["2 h", "63 h, when the clock stood still"])
def test_in_a_new_era_an_event_is_not_refused_because_its_records_time_lies_back(back: int) -> None:
    monday = T0 + 3 * DAY_MS
    event = line(id="now", occurred_at=monday * 1000, received_at=monday * 1000)

    poll = believe_poll(_poll(monday, monday - back, monday, lines=event), {0: PartitionClock(T0, is_firm=True)})
    batch = admit(decode(poll))

    assert (batch.events.height, batch.doubted) == (3, 0)


def test_a_producer_that_goes_on_with_a_wrong_clock_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    doubts = Doubts(lambda: now[0])
    odd = believe_poll(_poll(0, 0), {0: PartitionClock(T0, is_firm=True)})

    for second in range(90):
        now[0] = float(second)
        doubts.tell(odd)

    assert [int(line.split()[0]) for line in caplog.messages] == [2, 120]


def test_an_ordinary_poll_is_handed_on_as_it_is() -> None:
    plain = poll(line(), at=NOW + timedelta(hours=1))

    judged = believe_poll(plain, {0: PartitionClock(int(NOW.timestamp() * 1000))})

    assert judged.records is plain.records
    assert (judged.doubted, judged.latest) == (frozenset(), {})
