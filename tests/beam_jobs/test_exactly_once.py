"""Landing's real code under anything that may happen, in any order: a state machine with a model beside it.

The model is the log itself, read from its start by the simplest rules: the first of an (owner, id) lands, the others
are duplicates, what is no event is undecodable. The rules of "Exactly once" are the invariants.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from deltalake import DeltaTable
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bench.killing.places import PlaceReader, Snapshot, violations
from feedback.admitted import AdmittedEvent
from feedback.log.port import Memo, NewRecord, pack, partition_of
from lakehouse.lake import Lake
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.quarantine import QUARANTINE
from online.port import catch_up
from online.sqlite.store import SqliteOnlineStore
from tests.conftest import NOW
from tests.feedback.log.memory_log import MemoryLog, Storage
from tests.lakehouse.rows import rows
from tests.support.landing.unfused import Crash, UnfusedWorker

NO_MEMO = Memo(b"")
PARTITIONS = 2
LEASE_SECONDS = 6.0
BATCH_EVENTS = (6, 2)
"""Workers with batches of different sizes, so that a batch of one ends in the middle of a batch of the other."""

WINDOW_DAYS = 30
POINTS = ("before commit", "after data file", "between tables", "after commit")
FOREIGN = 99

workers = st.sampled_from([0, 1])
events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12)


class ExactlyOnce(RuleBasedStateMachine):
    """Two workers, a sender, and the rest of the world."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="heed-machine-")
        root = Path(self.folder.name)
        self.clock = 1000.0
        self.now = NOW
        self.log = MemoryLog(Storage(PARTITIONS), lease_seconds=LEASE_SECONDS, clock=lambda: self.clock)
        self.lake = Lake(str(root / "lake"))
        self.store = SqliteOnlineStore(root / "online.db")
        self.workers = [self.worker(0), self.worker(1)]
        self.reader = PlaceReader(self.lake, self.log.name, PARTITIONS)
        self.seen: Snapshot | None = None

    def worker(self, which: int) -> UnfusedWorker:
        events = BATCH_EVENTS[which]
        return UnfusedWorker(self.log, self.lake, self.store, window_days=WINDOW_DAYS, batch_events=events)

    @rule(chosen=events, lines_each=st.integers(1, 3))
    def events_come(self, chosen: list[tuple[int, int]], lines_each: int) -> None:
        lines = [
            (partition_of(subject(who), PARTITIONS), line(who, number, self.now), NO_MEMO) for who, number in chosen
        ]
        self.log.append(pack(lines, max_events=lines_each), now=self.now)

    @rule(partition=st.integers(0, PARTITIONS - 1), who=st.integers(0, 3), number=st.integers(0, 9))
    def poison_comes(self, partition: int, who: int, number: int) -> None:
        """Alone, and in one record with an event where that belongs to the partition."""
        value = b"poison"
        if partition_of(subject(who), PARTITIONS) == partition:
            value += b"\n" + line(who, number, self.now)
        self.log.append([NewRecord(partition, value, value.count(b"\n") + 1)], now=self.now)

    @rule(which=workers)
    def a_worker_reads(self, which: int) -> None:
        self.workers[which].read()

    @rule(which=workers)
    def a_worker_prepares(self, which: int) -> None:
        self.workers[which].prepare()

    @rule(which=workers)
    def a_worker_commits(self, which: int) -> None:
        self.workers[which].commit()

    @rule(which=workers)
    def a_worker_lands(self, which: int) -> None:
        self.workers[which].read()
        self.workers[which].prepare()
        self.workers[which].commit()

    @rule(which=workers)
    def a_batch_is_committed_twice(self, which: int) -> None:
        self.workers[which].read()
        self.workers[which].prepare()
        self.workers[which].commit_again()

    @rule(which=workers, point=st.sampled_from(POINTS), passes=st.integers(1, 2))
    def a_worker_dies(self, which: int, point: str, passes: int) -> None:
        self.workers[which].read()
        self.workers[which].prepare()
        try:
            self.workers[which].commit(dies_at=point, passes=passes)
        except Crash:
            self.workers[which] = self.worker(which)

    @rule(which=workers)
    def a_worker_is_replaced_in_order(self, which: int) -> None:
        self.workers[which].leave()
        self.workers[which] = self.worker(which)

    @rule(which=workers)
    def all_but_one_sleep(self, which: int) -> None:
        """The leases run out; whoever asks first takes all, and the other does not know it yet."""
        self.clock += 2 * LEASE_SECONDS
        self.workers[which].read()

    @rule(which=workers)
    def a_sleeper_wakes_in_mid_batch(self, which: int) -> None:
        """Its partitions have moved meanwhile, and another has landed a part of its batch, or more; they return."""
        self.a_worker_reads(which)
        self.a_worker_prepares(which)
        self.clock += 2 * LEASE_SECONDS
        self.a_worker_lands(1 - which)
        self.a_worker_commits(which)
        self.clock += 2 * LEASE_SECONDS
        self.a_worker_lands(which)

    @rule(days=st.integers(-3, 3))
    def the_clock_jumps(self, days: int) -> None:
        self.now = min(max(self.now + timedelta(days=days), NOW), NOW + timedelta(days=WINDOW_DAYS // 2))

    @precondition(lambda self: self.lake.exists(FEEDBACK))
    @rule(what=st.sampled_from(["delete", "compact", "property", "append"]))
    def somebody_else_writes(self, what: str) -> None:
        if what in ("delete", "append"):
            self.lake.append(FEEDBACK, rows(FEEDBACK, {"id": "f", "log_offset": 0, "log_partition": FOREIGN}))
        table = DeltaTable(self.lake.uri(FEEDBACK))
        match what:
            case "delete":
                table.delete(f"log_partition = {FOREIGN}")
            case "compact":
                table.optimize.compact()
            case "property":
                days = 8 + table.version()
                table.alter.set_table_properties({"delta.logRetentionDuration": f"interval {days} days"})

    @invariant()
    def positions_and_rows_agree_and_never_go_back(self) -> None:
        """Positions committed = landed + quarantined + duplicates, for every partition, at every moment."""
        snapshot = self.reader.snapshot()
        if snapshot is None or (self.seen is not None and snapshot.version == self.seen.version):
            return
        assert violations(snapshot, self.seen) == []
        self.seen = snapshot
        assert self.landed(snapshot.positions) == self.expected(snapshot.positions)
        pushed = self.store.positions()
        assert all(pushed.get(p, 0) <= position for p, position in snapshot.positions.items())

    def teardown(self) -> None:
        """Whatever happened: one worker more lands the rest, and the online store stands where the lake does."""
        if not hasattr(self, "log"):
            return
        try:
            self.clock += 2 * LEASE_SECONDS
            self.worker(0).land_all()
            self.positions_and_rows_agree_and_never_go_back()
            catch_up(self.store, self.lake, self.log.name, PARTITIONS)
            committed = self.lake.positions(self.log.name, PARTITIONS)
            assert all(self.store.positions().get(p, 0) == position for p, position in committed.items())
        finally:
            self.store.close()
            self.folder.cleanup()

    def landed(self, positions: dict[int, int]) -> dict[tuple[int, int, int], tuple[str, str]]:
        """What the tables say of each place below the positions: its code, or "landed", and its day."""
        found: dict[tuple[int, int, int], tuple[str, str]] = {}
        place = ("log_partition", "log_offset", "log_index")
        for spec, code in ((FEEDBACK, pl.lit("landed")), (QUARANTINE, pl.col("code"))):
            if self.lake.exists(spec):
                frame = self.lake.scan(spec).select(*place, code, pl.col("landed_on").cast(pl.String)).collect()
                found |= {(p, o, i): (what, day) for p, o, i, what, day in frame.iter_rows() if o < positions.get(p, 0)}
        return found

    def expected(self, positions: dict[int, int]) -> dict[tuple[int, int, int], tuple[str, str]]:
        """The same, from the log alone."""
        found: dict[tuple[int, int, int], tuple[str, str]] = {}
        known: set[tuple[Any, ...]] = set()
        for partition, position in positions.items():
            for record in self.log.read(partition, 0, max_events=1 << 30):
                day = str((datetime(1970, 1, 1) + timedelta(milliseconds=record.appended_at_ms)).date())  # noqa: DTZ001
                for index, text in enumerate(record.value.split(b"\n")):
                    if record.offset >= position:
                        continue
                    if text == b"poison":
                        code = "undecodable"
                    else:
                        event = msgspec.json.decode(text)
                        key = (event["subject"], event["id"])
                        code = "duplicate" if key in known else "landed"
                        known.add(key)
                    found[(partition, record.offset, index)] = (code, day)
        return found


def subject(who: int) -> str:
    return f"{who:032x}"


def line(who: int, number: int, now: datetime) -> bytes:
    at = int(now.timestamp() * 1_000_000)
    event = AdmittedEvent(
        v=1,
        id=f"e{number}",
        kind="click",
        subject=subject(who),
        item_id="x",
        occurred_at=at,
        received_at=at,
        source="s",
    )
    return msgspec.json.encode(event)


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
