"""The reader: polls and decodes one worker's partitions in a background thread, one batch ahead.

While the chain commits one batch, the next is parsed, and where more is waiting the one after is polled meanwhile.
Reading starts from the positions committed in Delta: at the beginning, when the assignment of partitions changes, and
when a commit finds that another worker was first. Each start is a new generation; batches of older generations are
dropped. A generation begins with a batch without records, which tells the sink which partitions were taken over.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Empty, Full, Queue

from beam_jobs.batch import Batch, Poll
from beam_jobs.runner.monitor import tell_lag
from beam_jobs.source.heartbeat import Beat
from beam_jobs.source.poll import Cursor, PollingAhead
from beam_jobs.stages.decode import Decoder
from beam_jobs.stages.limits import landing_limits
from beam_jobs.stages.log_clock import PartitionClock, believe_poll
from feedback.log.port import FeedbackLog, PartitionAssignment
from feedback.log.records import Records
from feedback.settings.home import Settings
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.continuity import meet, open_landed_log, refuse_gaps
from lakehouse.landed.log_clocks import committed_clocks, newest_landed_ms

LOGGER = logging.getLogger("heed.landing")
READ_AHEAD = 1
LAG_SECONDS = 1.0
"""How often a stream measures how far it is behind."""

DOUBTS_SECONDS = 60.0
"""How often a reader says that log times are out of bounds."""

LOOK_SECONDS = 0.05
"""How often a reader without new records checks whether everything up to its end has landed."""

Until = Callable[[FeedbackLog], Mapping[int, int]]


def to_the_end(log: FeedbackLog) -> Mapping[int, int]:
    """Up to the end that the log has now."""
    return {partition: end for partition, (_, end) in log.bounds().items()}


@dataclass(frozen=True, slots=True)
class _Start:
    """One start of reading: from which positions, and its number."""

    generation: int
    positions: Mapping[int, int]
    cursor: Cursor
    polls: PollingAhead
    clocks: dict[int, PartitionClock]
    """The clock of each partition, after the batches that were handed out."""
    doubts: Doubts

    def believe(self, poll: Poll) -> Poll:
        """A poll with the log times that are believed; polls come in their order."""
        judged = believe_poll(poll, self.clocks)
        self.clocks.update({p: PartitionClock.noted(ms, judged.eras[p]) for p, ms in judged.clocks.items() if ms})
        self.doubts.tell(judged)
        return judged


class LogReader:
    """Batches of one worker's partitions, in order.

    With `until` it ends: as soon as every partition has landed up to there, by this worker or another. That a batch
    was handed out is not enough, since its commit may be refused and reading start again.
    """

    def __init__(self, settings: Settings, *, until: Until | None = None) -> None:
        self._settings = settings
        self._wanted = until
        self._batches: Queue[Batch | BaseException | None] = Queue(READ_AHEAD)
        self._closing = threading.Event()
        self._rewind = threading.Event()
        self._guard = threading.Lock()
        self._generation = 0
        self._doubts = Doubts()
        self._finished = False
        self.failed = False
        """Whether it ended with an error; then another must be opened."""
        self._thread = threading.Thread(target=self._run, name="landing-reader", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether everything up to `until` has been handed out or landed; always False without `until`."""
        return self._finished

    def next(self, *, timeout: float) -> Batch | None:
        """The next batch, waiting for it at most so many seconds.

        Raises:
            LogGap: The log no longer holds the committed position.
            LogError: The log cannot be read.
            LakeError: The positions cannot be read.
        """
        try:
            found = self._batches.get(timeout=timeout)
        except Empty:
            return None
        if found is None:
            self._finished = True
            return None
        if isinstance(found, BaseException):
            self.failed = True
            raise found
        return found if found.generation == self._generation else None

    def rewind(self, generation: int) -> None:
        """Read again from the committed positions, unless that has been done since this generation."""
        with self._guard:
            if generation == self._generation:
                self._generation += 1
                self._rewind.set()

    def close(self) -> None:
        """Stop reading and give the partitions to others."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            log = open_landed_log(self._settings)
            try:
                assignment = log.join(worker_name())
                try:
                    self._read(log, assignment)
                finally:
                    assignment.leave()
            finally:
                log.close()
        except BaseException as error:
            self._put(error)

    def _read(self, log: FeedbackLog, assignment: PartitionAssignment) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="landing-poll") as background:
            self._batch_after_batch(log, assignment, background)

    def _batch_after_batch(self, log: FeedbackLog, assignment: PartitionAssignment, background: Executor) -> None:
        lake, decoder = (
            open_lake(self._settings),
            Decoder(landing_limits(self._settings.admission, self._settings.landing)),
        )
        meet(log, lake)
        until = None if self._wanted is None else dict(self._wanted(log))
        owned: frozenset[int] | None = None
        start: _Start | None = None
        flushed_at = told_at = 0.0
        beat = Beat(self._settings.paths.landing_beat_file) if until is None else None
        while not self._closing.is_set():
            if beat is not None:
                beat.touch()
            now = assignment.partitions()
            if start is None or now != owned or self._rewind.is_set():
                if start is not None:
                    start.polls.settle()
                owned = now
                start = self._restart(log, lake, owned, background)
                if owned:
                    taken = decoder.decode(start.believe(Poll(Records(), start.positions, start.positions)))
                    self._put(replace(taken, generation=start.generation))
            if until is None and time.monotonic() >= told_at + LAG_SECONDS:
                told_at = time.monotonic()
                tell_lag(log.bounds(), start.cursor.positions, start.cursor.ages(time.time()))
            pause = flushed_at + self._settings.landing.flush_seconds - time.monotonic()
            if until is None and pause > 0:
                self._closing.wait(min(pause, LOOK_SECONDS))
                continue
            began = time.monotonic()
            poll = start.polls.poll(until=until)
            if poll is not None:
                self._put(replace(decoder.decode(start.believe(poll)), generation=start.generation))
                flushed_at = 0.0 if poll.more else began
            elif until is not None and _is_landed(log, lake, until):
                self._put(None)
                return
            else:
                self._closing.wait(self._settings.landing.poll_seconds if until is None else LOOK_SECONDS)

    def _restart(self, log: FeedbackLog, lake: Lake, owned: frozenset[int], background: Executor) -> _Start:
        with self._guard:  # take the number before reading the positions, so that a later rewind is not missed
            self._generation += 1
            self._rewind.clear()
            generation = self._generation
        positions = lake.positions(log.name, max((log.partitions, *(p + 1 for p in owned))))
        clocks = _clocks(lake, log, owned)  # after the positions: where they moved in between, the fence refuses
        mine = {partition: positions[partition] for partition in sorted(owned)}
        refuse_gaps(log, lake, mine)
        limits = self._settings.landing
        cursor = Cursor(log, mine, max_events=limits.batch_events, max_bytes=limits.batch_bytes)
        return _Start(generation, mine, cursor, PollingAhead(cursor, background, time.time), clocks, self._doubts)

    def _put(self, found: Batch | BaseException | None) -> None:
        while not self._closing.is_set():
            try:
                self._batches.put(found, timeout=0.2)
            except Full:
                continue
            return


def _clocks(lake: Lake, log: FeedbackLog, owned: Iterable[int]) -> dict[int, PartitionClock]:
    """The committed clocks; where an earlier release has landed and noted none, the newest day that has landed."""
    noted = committed_clocks(lake, log.name, range(log.partitions))
    if any(now_ms for now_ms, _ in noted.values()):
        return {p: PartitionClock.noted(*noted[p]) if p in noted and noted[p][0] else PartitionClock() for p in owned}
    newest = newest_landed_ms(lake)
    return {p: PartitionClock(newest, is_firm=newest > 0) for p in owned}


class Doubts:
    """Says that log times are out of bounds: at once, then once a minute with how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = float("-inf")
        self._untold = 0

    def tell(self, poll: Poll) -> None:
        """Count the records of a poll."""
        self._untold += len(poll.doubted)
        now = self._clock()
        if not poll.doubted or now - self._told_at < DOUBTS_SECONDS:
            return
        partition, offset = min(poll.doubted)
        LOGGER.warning(
            "%d records have a log time out of bounds, such as the one at partition %d, offset %d. Their events land "
            "by the partition's clock and are counted under the code log_time",
            self._untold,
            partition,
            offset,
        )
        self._told_at, self._untold = now, 0


def _is_landed(log: FeedbackLog, lake: Lake, until: Mapping[int, int]) -> bool:
    """Whether everything below `until` is committed, whoever did it."""
    positions = lake.positions(log.name, log.partitions)
    return all(positions[partition] >= end for partition, end in until.items())


def worker_name() -> str:
    """A name for this worker among those that share the log."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
