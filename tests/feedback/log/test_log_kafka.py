from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions
from confluent_kafka.cimpl import NewTopic

from feedback.errors import LogError, LogGap
from feedback.log.kafka.log import KafkaLog
from feedback.log.port import FeedbackLog, NewRecord
from tests.feedback.log.log_conformance import EVERY_PARTITION, LEASE_SECONDS, NOW, SharedLogConformance, eventually
from tests.support.kafka_server import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka")]

FOR_EVER_DAYS = 100_000  # the records of the tests bear a fixed date, which no retention may reach


class TestKafkaLog(SharedLogConformance):
    states_its_own_time = True
    broker: Broker
    opened: list[FeedbackLog]

    @pytest.fixture(autouse=True)
    def _broker(self, kafka_broker: Broker) -> Iterator[None]:
        self.broker = kafka_broker
        self.opened = []
        yield
        for log in self.opened:
            log.close()

    def open(self, folder: Path) -> FeedbackLog:
        rest = self.address(folder).removeprefix("kafka://")
        name = f"log-{rest.rpartition('/')[2]}"
        log = KafkaLog(rest, name=name, partitions=4, retention_days=FOR_EVER_DAYS, lease_seconds=LEASE_SECONDS)
        self.opened.append(log)
        return log

    def address(self, folder: Path) -> str:
        return f"kafka://{self.broker.address}/{self.topic(folder)}"

    def topic(self, folder: Path) -> str:
        return f"topic-{zlib.crc32(str(folder).encode())}"

    def destroy(self, folder: Path) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.address})
        admin.delete_topics([self.topic(folder)])[self.topic(folder)].result()
        eventually(lambda: self.topic(folder) not in admin.list_topics(timeout=5).topics)

    def produce(self, folder: Path, *values: bytes | None, **more: object) -> None:
        producer = Producer({"bootstrap.servers": self.broker.address})
        for value in values:
            producer.produce(self.topic(folder), value, partition=0, **more)
        assert producer.flush(10) == 0

    def test_foreign_records_count_their_lines(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        self.produce(tmp_path, b"a", b"a\nb", b"a\nb\n", b"a\r\n", b"", None)

        found = log.read(0, 0, max_events=100)
        assert [(r.value, r.count) for r in found] == [
            (b"a", 1), (b"a\nb", 2), (b"a\nb", 2), (b"a", 1), (b"", 1), (b"", 1),
        ]  # fmt: skip

    def test_the_brokers_time_is_the_records_time_whatever_a_producer_states(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        before = int(time.time() * 1000)
        self.produce(tmp_path, b"x", timestamp=int(time.time() * 1_000_000))

        (record,) = log.read(0, 0, max_events=1)

        assert before - 1000 <= record.appended_at_ms <= int(time.time() * 1000) + 1000

    def test_a_topic_with_its_producers_times_is_changed_and_keeps_what_it_holds(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.create_with_producers_times(tmp_path)
        odd = int(time.time() * 1_000_000)
        self.produce(tmp_path, b"x", timestamp=odd)

        log = self.open(tmp_path)
        self.open(tmp_path)
        self.produce(tmp_path, b"y", timestamp=odd)

        first, second = log.read(0, 0, max_events=2)
        assert first.appended_at_ms == odd
        assert second.appended_at_ms < odd // 100
        assert sum("was changed to LogAppendTime" in line for line in caplog.messages) == 1

    def test_a_topic_that_may_not_be_changed_is_taken_with_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.create_with_producers_times(tmp_path)
        monkeypatch.setattr("feedback.log.kafka.times.BROKERS_CLOCK", "a value that the broker refuses")

        log = self.open(tmp_path)

        assert log.bounds()[0] == (0, 0)
        assert "within a day of the newest one" in caplog.text

    def create_with_producers_times(self, folder: Path) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.address})
        config = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str((1 << 63) - 1)}
        topic = NewTopic(self.topic(folder), num_partitions=4, replication_factor=1, config=config)
        admin.create_topics([topic])[self.topic(folder)].result()
        eventually(lambda: self.topic(folder) in admin.list_topics(timeout=5).topics)

    @pytest.mark.parametrize("count", [b"0", b"-3", b"many", b"", None, b"99999999999999"])
    def test_a_count_that_is_none_is_not_believed(self, tmp_path: Path, count: bytes | None) -> None:
        log = self.open(tmp_path)

        self.produce(tmp_path, b"a\nb", headers=[("heed-count", count)])

        (record,) = log.read(0, 0, max_events=9)
        assert (record.count, record.headers) == (2, ())

    def test_our_own_values_come_back_byte_by_byte(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        records = [NewRecord(0, b"a\n", 1), NewRecord(0, b"", 3), NewRecord(0, bytes(range(256)), 2)]

        log.append(records, now=NOW)

        found = log.read(0, 0, max_events=100)
        assert [(r.value, r.count, r.headers) for r in found] == [(n.value, n.count, ()) for n in records]

    def test_reads_jump_back_and_forth(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        for partition in range(4):
            log.append([NewRecord(partition, b"%d" % n, 1) for n in range(1000)], now=NOW)

        for offset in (0, 10, 10, 500, 20, 999, 0, 998, 1000, 3):
            for partition in range(4):
                found = log.read(partition, offset, max_events=7)
                assert [r.offset for r in found] == list(range(offset, min(1000, offset + 7)))
                assert [r.value for r in found] == [b"%d" % r.offset for r in found]

    def test_a_caught_up_reader_answers_at_once_and_sees_what_another_appends(self, tmp_path: Path) -> None:
        log, other = self.open(tmp_path), self.open(tmp_path)
        log.append([NewRecord(0, b"x", 1)], now=NOW)
        assert len(log.read(0, 0, max_events=9)) == 1

        started = time.perf_counter()
        for _ in range(100):
            assert log.read(0, 1, max_events=9) == []
        assert (time.perf_counter() - started) / 100 < 0.005
        other.append([NewRecord(0, b"y", 1)], now=NOW)
        eventually(lambda: [r.value for r in log.read(0, 1, max_events=9)] == [b"y"])

    def test_a_partition_that_nobody_reads_does_not_fill_the_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("feedback.log.kafka.reader.BUFFER_BYTES", 400_000)
        log = self.open(tmp_path)
        for partition in (0, 1):
            for _ in range(20):
                log.append([NewRecord(partition, bytes(10_000), 1)] * 10, now=NOW)
        assert log.read(1, 0, max_events=1)[0].offset == 0

        seen = [record.offset for start in range(0, 200, 10) for record in log.read(0, start, max_events=10)]

        assert seen == list(range(200))
        held = log._reader._states[1]  # type: ignore[attr-defined]
        assert held.paused
        assert held.size < 2_000_000
        assert [r.offset for start in range(1, 200) for r in log.read(1, start, max_events=1)] == list(range(1, 200))

    def test_offsets_that_transactions_leave_out_do_not_stop_reading(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        producer = Producer({"bootstrap.servers": self.broker.address, "transactional.id": "foreign"})
        producer.init_transactions(30)
        for _ in range(2):
            producer.begin_transaction()
            producer.produce(self.topic(tmp_path), b"x", partition=0)
            producer.commit_transaction(30)
        assert log.bounds()[0] == (0, 4)

        assert [r.offset for r in log.read(0, 0, max_events=9)] == [0, 2]
        assert log.read(0, 3, max_events=9) == []

    def test_a_topic_made_anew_under_an_open_log_is_a_gap(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        self.destroy(tmp_path)
        with pytest.raises(LogError, match="the topic is gone"):
            log.bounds()
        self.open(tmp_path)

        with pytest.raises(LogGap, match="the topic was made anew"):
            log.bounds()

    def test_added_partitions_are_a_gap(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        admin = AdminClient({"bootstrap.servers": self.broker.address})
        admin.create_partitions([NewPartitions(self.topic(tmp_path), 6)])[self.topic(tmp_path)].result()

        def is_refused() -> bool:
            try:
                log.bounds()
            except LogGap as error:
                return "6 partitions instead of 4" in str(error)
            return False

        eventually(is_refused)

    def test_a_position_that_retention_has_passed_while_reading_is_a_gap(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.append([NewRecord(0, b"x", 1)] * 5, now=NOW)
        assert log.read(0, 5, max_events=1) == []
        log.trim(before=datetime.now(UTC) + timedelta(days=1), keep_from={0: 5})

        with pytest.raises(LogGap, match="offset 2 is asked for, but the log holds 5 to 4"):
            log.read(0, 2, max_events=1)

    def test_an_existing_topic_keeps_its_number_of_partitions(self, tmp_path: Path) -> None:
        self.open(tmp_path)

        again = KafkaLog(self.address(tmp_path).removeprefix("kafka://"), partitions=9)
        self.opened.append(again)

        assert again.partitions == 4

    def test_what_this_process_appends_is_read_at_once(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        for number in range(50):
            log.append([NewRecord(0, b"%d" % number, 1)], now=NOW)
            assert [r.value for r in log.read(0, number, max_events=9)] == [b"%d" % number]

    def test_a_share_that_was_silent_is_empty_before_the_group_says_so(self, tmp_path: Path) -> None:
        leap = 0.0
        log = KafkaLog(
            self.address(tmp_path).removeprefix("kafka://"),
            name=self.topic(tmp_path),
            lease_seconds=LEASE_SECONDS,
            clock=lambda: time.monotonic() + leap,
        )
        self.opened.append(log)
        assignment = log.join("sleeper")
        eventually(lambda: assignment.partitions() == EVERY_PARTITION)

        leap = LEASE_SECONDS

        assert assignment.partitions() == frozenset()
        eventually(lambda: assignment.partitions() == EVERY_PARTITION)
        assignment.leave()

    def test_a_broker_that_restarts_loses_nothing(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        assignment = log.join("worker")
        log.append([NewRecord(0, b"before", 1)], now=NOW)
        assert len(log.read(0, 0, max_events=9)) == 1
        eventually(lambda: assignment.partitions() == EVERY_PARTITION)

        self.broker.restart(kill=True)
        log.append([NewRecord(0, b"after", 1)], now=NOW)

        assert [r.value for r in log.read(0, 1, max_events=9)] == [b"after"]
        eventually(lambda: assignment.partitions() == EVERY_PARTITION)
        assignment.leave()

    def test_a_lease_that_the_broker_refuses_is_told(self, tmp_path: Path) -> None:
        log = KafkaLog(self.address(tmp_path).removeprefix("kafka://"), lease_seconds=1.0)
        self.opened.append(log)
        assignment = log.join("hasty")

        def is_refused() -> bool:
            try:
                assignment.partitions()
            except LogError as error:
                return "session timeout" in str(error)
            return False

        eventually(is_refused)
        assignment.leave()

    def test_a_closed_log_says_so(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        log.close()

        for use in (lambda: log.read(0, 0, max_events=1), log.bounds, lambda: log.join("w")):
            with pytest.raises(LogError, match="is closed"):
                use()

    def test_a_record_above_the_limit_is_refused_in_words(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)

        with pytest.raises(LogError, match=r"not known to be in: .*too large"):
            log.append([NewRecord(0, bytes(33 * 1024 * 1024), 1)], now=NOW)

    def test_a_record_of_ten_megabytes_goes_through(self, tmp_path: Path) -> None:
        log = self.open(tmp_path)
        value = b"x" * 10_000_000

        log.append([NewRecord(0, value, 1)], now=datetime.now(UTC))

        assert log.read(0, 0, max_events=1)[0].value == value
