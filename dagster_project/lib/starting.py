"""When the loop starts by itself: pure decisions from positions and past runs, for the sensor and the nightly schedule.

Events count as learned once a run has judged them, whether it published or the gate refused. A failed run has learned
nothing: its events still count as new, and the run is tried again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.landed.positions import Positions

RETRY_AFTER = timedelta(minutes=5)
"""How long to wait after a failed run; doubled with each further failure in a row, for most failures last."""
RETRY_AT_MOST = timedelta(hours=6)
"""A permanent failure costs four runs a day, and recovery is noticed within hours."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What has arrived: how far the log reaches, and how many events lie beyond what was learned."""

    log_ends: Positions
    landed: int
    """Events in `feedback` beyond the learned positions."""
    waiting: int
    """Events in the log that have not landed, counted no further than the threshold."""

    @property
    def new(self) -> int:
        """Events since the last learning."""
        return self.landed + self.waiting


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the loop that has ended, well or not; times carry a zone."""

    run_id: str
    started: datetime
    ended: datetime
    succeeded: bool

    @property
    def length(self) -> timedelta:
        """How long it took."""
        return self.ended - self.started


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the loop may start by itself."""

    now: datetime
    pause: timedelta
    """From one start to the next, at least."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the loop, under a key that names the state of the log: the same state never starts it twice.

    After a failure the key names the failed run as well, so that the same state is tried again, once per failure.
    """

    run_key: str
    cursor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not start, and why not."""

    reason: str


def decide_start(
    feedback: Feedback,
    *,
    threshold: int,
    busy: str | None = None,
    failures: Sequence[PastRun] = (),
    last: PastRun | None = None,
    pace: Pace | None = None,
) -> Start | Wait:
    """Whether enough new feedback is there to learn again.

    Args:
        feedback: What has arrived.
        threshold: New events that are worth a run; after a failed run one event is.
        busy: Why no run may start now, if so.
        failures: Runs that failed in a row since the last learning, the newest first (`failures_since`).
        last: The last run that ended.
        pace: The time, and the least pause; None where neither pause nor failures hold a run back.
    """
    if busy is not None:
        return Wait(busy)
    if not any(feedback.log_ends.values()):
        return Wait("no feedback has been accepted yet")
    counted = f"{feedback.new:,} new events since the last learning"
    if feedback.new < (1 if failures else threshold):
        return Wait(f"{counted}; the loop starts at {threshold:,}")
    if pace is not None and last is not None:
        until, why = rest(last, failures, pause=pace.pause)
        if pace.now < until:
            return Wait(f"{counted}; {why}: the next run starts at {_clock(until)} or later")
    cursor = positions_text(feedback.log_ends)
    key = f"feedback up to {cursor}"
    if failures:
        key += f", after the failed run {failures[0].run_id}"
        counted += f"; tried again after {_failed(failures)}"
    return Start(run_key=key, cursor=cursor, reason=counted)


def failures_since(past: Sequence[PastRun], *, learned_by: str | None) -> list[PastRun]:
    """The runs that failed in a row and learned nothing, the newest first.

    Args:
        past: Runs that have ended, the newest first.
        learned_by: The id of the run that learned last: it has, even where a later step of it failed.
    """
    failed: list[PastRun] = []
    for run in past:
        if run.succeeded or run.run_id == learned_by:
            break
        failed.append(run)
    return failed


def rest(last: PastRun, failures: Sequence[PastRun], *, pause: timedelta) -> tuple[datetime, str]:
    """Until when no run starts by itself, and why.

    A run is followed by a rest as long as itself, whatever the pause, so that learning takes at most half the time.
    """
    paused = max(last.started + pause, last.ended + last.length)
    why = f"the last run started at {_clock(last.started)} (learn_pause_minutes)"
    if failures:
        retried = failures[0].ended + min(RETRY_AFTER * 2 ** min(len(failures) - 1, 10), RETRY_AT_MOST)
        if retried >= paused:
            return retried, _failed(failures)
    return paused, why


def positions_text(positions: Positions) -> str:
    """Positions as text, for cursors, run keys and metadata."""
    return json.dumps({str(partition): positions[partition] for partition in sorted(positions)})


def positions_from(text: str | None) -> dict[int, int]:
    """Positions from their text; none where there is no text."""
    return {int(partition): int(end) for partition, end in json.loads(text).items()} if text else {}


def _failed(failures: Sequence[PastRun]) -> str:
    many = "the last run" if len(failures) == 1 else f"the last {len(failures)} runs"
    return f"{many} failed (run {failures[0].run_id[:8]}, ended at {_clock(failures[0].ended)})"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"
