"""Several workers on one log, as real processes: whatever they do to one another, each event lands once."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from beam_jobs.landing import drain
from bench.killing.disk import FileSizeLimit
from bench.killing.faults import orphans
from feedback.settings.home import Settings, load_settings
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from tests.lakehouse.rows import rows
from tests.support.kafka_server import Broker
from tests.support.landing.workers import Workers, eventually, working
from tests.support.processes import Child

pytestmark = pytest.mark.beam

FOREIGN = 99


def home(folder: Path, **more: object) -> Settings:
    return load_settings(folder / "home", landing_flush_seconds=0.02, **{"log_lease_seconds": 1.0, **more})


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with working(home(tmp_path), tmp_path) as found:
        yield found


def test_two_workers_that_start_together_on_an_empty_home_share_the_log(workers: Workers) -> None:
    workers.start()
    workers.start()

    for _ in range(10):
        workers.send(50)

    workers.check()


def test_one_worker_joins_and_one_leaves_under_load(workers: Workers) -> None:
    first = workers.start()
    workers.keep_sending(workers.start)

    assert first.end(timeout=60) == 0
    workers.keep_sending(lambda: None)

    workers.check()


def test_three_workers_become_six_and_three_again(tmp_path: Path) -> None:
    with working(home(tmp_path, log_partitions=6), tmp_path) as workers:
        three = [workers.start() for _ in range(3)]
        workers.keep_sending(lambda: None)
        workers.keep_sending(lambda: [workers.start() for _ in range(3)])

        for worker in three:
            worker.signal(signal.SIGTERM)
        workers.keep_sending(lambda: [worker.end(timeout=60) for worker in three])

        workers.check()


def test_foreign_deletes_compactions_and_properties_in_between_never_stop_landing(workers: Workers) -> None:
    workers.start()
    workers.start()
    workers.send(10)
    workers.await_landed()

    for number in range(4):
        workers.send(20)
        workers.lake.append(FEEDBACK, rows(FEEDBACK, {"id": "foreign", "log_offset": 0, "log_partition": FOREIGN}))
        table = DeltaTable(workers.lake.uri(FEEDBACK))
        table.delete(f"log_partition = {FOREIGN}")
        table.alter.set_table_properties({"delta.logRetentionDuration": f"interval {number + 9} days"})
        table.optimize.compact()
        workers.send(20)
        workers.await_landed()

    workers.check()


def test_a_drain_beside_a_running_stream_ends_when_all_has_landed(workers: Workers) -> None:
    workers.start()
    workers.send(20)
    workers.await_landed()

    for _ in range(3):
        workers.send(200)
        report = drain(workers.settings)
        assert workers.all_landed(), report

    workers.check()


def test_a_drain_takes_over_what_a_killed_stream_held(workers: Workers) -> None:
    stream = workers.start("kill between tables:1")
    workers.start("stop after data file:1")
    workers.send_poison()
    workers.send(100)
    eventually(lambda: not stream.alive or stream.stopped, "one of them is down")

    drain(workers.settings)

    assert workers.all_landed()
    workers.check()


@pytest.mark.parametrize("point", ["before commit", "after data file", "between tables", "after commit"])
def test_a_worker_that_wakes_in_mid_batch_after_its_partitions_moved_lands_nothing_twice(
    workers: Workers, point: str
) -> None:
    sleeper = workers.start(f"stop {point}:1")
    for _ in range(8):
        workers.send_poison()
    workers.send(100)
    eventually(lambda: sleeper.stopped, "it has stopped itself in mid-batch")

    workers.start()
    workers.await_landed()
    sleeper.signal(signal.SIGCONT)
    workers.send(50)

    workers.check()
    assert workers.lake.row_count(QUARANTINE) == 32


def test_the_events_of_a_worker_that_died_between_commit_and_push_reach_the_online_store_without_new_ones(
    workers: Workers,
) -> None:
    heir = workers.start()
    workers.send(20)
    workers.await_landed()
    doomed = workers.start("kill after commit:1")

    while doomed.alive:
        workers.send(5)
        eventually(lambda: not doomed.alive or workers.all_landed(), "it is dead, or nothing is left to land")
    workers.await_landed()

    assert heir.alive
    eventually(lambda: workers.pushed() == workers.committed(), "the online store stands where the lake does")
    workers.check()


def test_a_stream_outlives_a_disk_without_room(workers: Workers) -> None:
    stream = workers.start()
    workers.send(20)
    workers.await_landed()

    FileSizeLimit().fill([stream])
    workers.send(20)
    eventually(lambda: bool(orphans(workers.lake, older_than=0)), "a data file did not find room")
    FileSizeLimit().free([stream])
    workers.await_landed()

    assert stream.alive
    workers.check()


@pytest.mark.kafka
@pytest.mark.xdist_group("kafka")
def test_workers_on_kafka_join_leave_sleep_and_die_under_load(tmp_path: Path, kafka_broker: Broker) -> None:
    url = f"kafka://{kafka_broker.address}/workers-{secrets.token_hex(4)}"
    with working(home(tmp_path, log_url=url, log_lease_seconds=6.0), tmp_path) as workers:
        first, sleeper = workers.start(), workers.start("stop after data file:2")
        workers.keep_sending(lambda: None)
        eventually(lambda: _sent_until_stopped(workers, sleeper), "it has stopped itself in mid-batch")
        workers.keep_sending(workers.start)

        first.kill()
        workers.await_landed()
        sleeper.signal(signal.SIGCONT)
        workers.send(100)

        workers.check()


def _sent_until_stopped(workers: Workers, sleeper: Child) -> bool:
    workers.send(5)
    return sleeper.stopped
