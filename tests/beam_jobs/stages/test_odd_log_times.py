"""Records with absurd log times, and a clock that jumps, on a real log: nothing is lost, doubled or counted anew."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from beam_jobs.landing import drain
from bench.killing.odd import append_at, make_topic
from feedback.log.open import open_log
from feedback.log.port import FeedbackLog, NewRecord
from feedback.settings.home import Settings, override_settings
from lakehouse.lake import open_lake
from lakehouse.landed.audit import audit
from lakehouse.landed.log_clocks import committed_clocks
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.window_table import read_windows
from tests.support.kafka_server import Broker
from tests.support.landing.lines import append, line

pytestmark = pytest.mark.beam

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
ODD: dict[str, Callable[[int], int]] = {
    "microseconds": lambda ms: ms * 1000,
    "seconds": lambda ms: ms // 1000,
    "ten years ahead": lambda ms: ms + 3650 * 86_400_000,
    "20 days ahead": lambda ms: ms + 20 * 86_400_000,
    "63 hours back": lambda ms: ms - 63 * 3_600_000,
}


def events(*numbers: int, at: datetime = MINUTE) -> list[bytes]:
    time = int(at.timestamp() * 1_000_000)
    return [line(id=f"e{n}", occurred_at=time, received_at=time) for n in numbers]


def set_time(settings: Settings, offset: int, ms: int) -> None:
    """Another log time for one record, as a producer on Kafka may choose it."""
    with closing(sqlite3.connect(settings.log.url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE records SET appended_at_ms = ? WHERE partition = 0 AND offset = ?", (ms, offset))


def counted(settings: Settings) -> dict[int, int]:
    """Events by the length of the windows that the events of `MINUTE` fall into."""
    rows = read_windows(open_lake(settings), scope="item")
    mine = rows.filter(pl.col("window_start") <= MINUTE, pl.col("window_end") > MINUTE)
    return dict(mine.select("size_seconds", "events").iter_rows())


def is_sound(settings: Settings, log: FeedbackLog) -> bool:
    return audit(open_lake(settings), log.name, bounds=log.bounds()).holds


@pytest.mark.parametrize("name", ODD)
def test_an_absurd_log_time_moves_neither_known_ids_nor_windows(settings: Settings, name: str) -> None:
    log = open_log(settings.log)
    append(log, *events(*range(20)), at=MINUTE)
    drain(settings)
    append(log, *events(20), at=MINUTE)
    set_time(settings, 1, ODD[name](int(MINUTE.timestamp() * 1000)))
    assert drain(settings).landed == 1

    append(log, *events(*range(5)), *events(21), at=MINUTE + timedelta(seconds=1))  # five are known
    report = drain(settings)

    assert (report.landed, report.codes) == (1, {"duplicate": 5})
    in_time = 21 if name == "20 days ahead" else 22  # the log may have been silent: then the event comes too late
    assert counted(settings) == dict.fromkeys((10, 60, 3600), in_time)
    assert is_sound(settings, log)
    clock, _ = committed_clocks(open_lake(settings), log.name, [0])[0]
    assert clock == int((MINUTE + timedelta(seconds=1)).timestamp() * 1000)


@pytest.mark.kafka
@pytest.mark.xdist_group("kafka")
def test_on_a_topic_that_keeps_its_producers_times_an_absurd_one_moves_nothing(
    settings: Settings, kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "feedback.log.kafka.topic.use_brokers_clock", lambda *_: False
    )  # as where it may not be changed
    topic = f"odd-{secrets.token_hex(4)}"
    make_topic(kafka_broker.address, topic, partitions=4)
    settings = override_settings(settings, log_url=f"kafka://{kafka_broker.address}/{topic}")
    log = open_log(settings.log)
    append(log, *events(*range(20)), at=MINUTE)
    for number, time_of in enumerate(ODD.values(), start=20):
        record = NewRecord(0, events(number)[0], 1)
        append_at(log, record, time_of(int(MINUTE.timestamp() * 1000)) / 1000)
    append(log, *events(*range(5)), at=MINUTE + timedelta(seconds=1))

    first = drain(settings)
    append(log, *events(*range(20)), *events(90), at=MINUTE + timedelta(seconds=2))
    second = drain(settings)

    assert (first.landed, first.doubted, first.codes) == (25, 4, {"duplicate": 5})
    assert (second.landed, second.codes) == (1, {"duplicate": 20})
    assert counted(settings)[3600] == 25  # all but the one that came too late, as after a silence of 20 days
    assert is_sound(settings, log)
    log.close()


def test_what_is_out_of_bounds_is_reported(settings: Settings) -> None:
    log = open_log(settings.log)
    append(log, *events(1), at=MINUTE)
    append(log, *events(2, 3), at=MINUTE)
    set_time(settings, 1, 0)

    report = drain(settings)

    assert (report.landed, report.doubted) == (3, 2)
    days = open_lake(settings).scan(FEEDBACK).select("landed_on").unique().collect()["landed_on"].to_list()
    assert days == [MINUTE.date()]


def test_a_clock_that_jumps_ahead_and_back_drops_no_id_and_no_window(settings: Settings) -> None:
    log = open_log(settings.log)
    append(log, *events(*range(20)), at=MINUTE)
    drain(settings)
    jumped = MINUTE + timedelta(days=3650)
    for hour in range(3):  # everything on the host is wrong for a while, the senders' times too
        append(log, *events(*range(20)), *events(100 + hour, at=jumped), at=jumped + timedelta(hours=hour))
        drain(settings)

    append(log, *events(*range(20)), *events(21), at=MINUTE + timedelta(seconds=2))
    report = drain(settings)

    assert (report.landed, report.codes) == (1, {"duplicate": 20})
    assert counted(settings) == {10: 21, 60: 21, 3600: 21}
    assert is_sound(settings, log)


def test_a_partition_that_is_written_to_for_the_first_time_does_not_take_the_time_of_another(
    settings: Settings,
) -> None:
    log = open_log(settings.log)
    append(log, *events(1), at=MINUTE + timedelta(days=20))
    drain(settings)
    append(log, *events(2), partition=1, at=MINUTE)

    drain(settings)

    rows = open_lake(settings).scan(FEEDBACK).filter(pl.col("log_partition") == 1).collect()
    assert rows["landed_on"].to_list() == [MINUTE.date()]
