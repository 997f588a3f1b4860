"""One landing worker without Beam: the real steps of the chain, taken one by one in whatever order a test draws."""

from __future__ import annotations

from dataclasses import replace

from beam_jobs.batch import Batch
from beam_jobs.source.poll import Cursor
from beam_jobs.source.reader import refuse_gaps
from beam_jobs.stages.admit import admit
from beam_jobs.stages.decode import Decoder
from beam_jobs.stages.deduplication.deduplicate import deduplicate
from beam_jobs.stages.deduplication.landed_ids import LandedIds
from feedback.errors import StalePosition
from feedback.log.port import FeedbackLog
from lakehouse.commit import LandingCommitter
from lakehouse.lake import Lake
from online.port import OnlineStore, catch_up, push_commit
from tests.conftest import NOW

READ_AHEAD = 2


class Crash(Exception):
    """Where a process would have died."""


class UnfusedWorker:
    """Reads ahead, takes out repeats, commits and pushes; each when it is told."""

    def __init__(
        self, log: FeedbackLog, lake: Lake, store: OnlineStore, *, window_days: int, batch_events: int
    ) -> None:
        self._log = log
        self._batch_events = batch_events
        self._lake = lake
        self._store = store
        self._share = log.join("worker")
        self._decoder = Decoder()
        self._landed = LandedIds(window_days)
        self._committer = LandingCommitter(lake, log.name, log.partitions, fault=self._fault)
        self._owned: frozenset[int] | None = None
        self._cursor = self._at({})
        self._read: list[Batch] = []
        self._ready: Batch | None = None
        self._dies_at = ""
        self._passes = 0
        catch_up(store, lake, log.name, log.partitions)

    def read(self) -> None:
        """Poll and decode one batch, from the committed positions where the share has changed."""
        now = self._share.partitions()
        if now != self._owned:
            self._owned = now
            self._restart()
        if len(self._read) < READ_AHEAD and (poll := self._cursor.poll()) is not None:
            self._read.append(self._decoder.decode(poll))

    def prepare(self) -> None:
        """Admit the next batch and reject its repeats."""
        if self._ready is None and self._read:
            batch = admit(self._read.pop(0))
            self._landed.prepare(self._lake, batch.start, batch.days)
            self._ready = deduplicate(batch, self._landed)

    def commit(self, *, dies_at: str = "", passes: int = 1) -> bool | None:
        """Commit what is ready; `None` where there is nothing, or it was refused.

        Raises:
            Crash: It died at that point.
        """
        if self._ready is None:
            return None
        self._dies_at, self._passes = dies_at, passes
        batch, self._ready = self._ready, None
        try:
            is_ours = self._committer.commit(batch.to_commit(), at=NOW)
        except StalePosition:
            self._restart()
            return None
        finally:
            self._dies_at = ""
        push_commit(self._store, self._lake, batch.events.drop("line", "appended_at"), start=batch.start, end=batch.end)
        return is_ours

    def commit_again(self) -> None:
        """What is ready is committed, and then once more, as a runner may do that repeats a bundle."""
        ready = self._ready
        if ready is not None and self.commit():
            self._ready = replace(ready)
            assert self.commit() is False

    def land_all(self) -> None:
        """Go on until the log is landed to its end."""
        ends = {p: end for p, (_, end) in self._log.bounds().items()}
        for _ in range(200):
            self.read()
            self.prepare()
            self.commit()
            if self._lake.positions(self._log.name, self._log.partitions) == ends:
                return
        raise AssertionError("the log was not landed to its end")

    def leave(self) -> None:
        """End in order."""
        self._share.leave()

    def _restart(self) -> None:
        positions = self._lake.positions(self._log.name, self._log.partitions)
        mine = {partition: positions[partition] for partition in sorted(self._owned or ())}
        refuse_gaps(self._log, self._lake, mine)
        self._read.clear()
        self._cursor = self._at(mine)

    def _at(self, positions: dict[int, int]) -> Cursor:
        return Cursor(self._log, positions, max_events=self._batch_events, max_bytes=1 << 20)

    def _fault(self, point: str) -> None:
        if point == self._dies_at:
            self._passes -= 1
            if self._passes == 0:
                raise Crash
