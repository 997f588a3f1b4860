"""When the loop starts by itself: pure decisions from positions, for the sensor and the nightly schedule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

Positions = Mapping[int, int]


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
class Start:
    """Start the loop, under a key that names the state of the log: the same state never starts it twice."""

    run_key: str
    cursor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not start, and why not."""

    reason: str


def decide_start(feedback: Feedback, *, threshold: int, busy: str | None = None) -> Start | Wait:
    """Whether enough new feedback is there to learn again.

    Args:
        feedback: What has arrived.
        threshold: New events that are worth a run.
        busy: Why no run may start now, if so.
    """
    if busy is not None:
        return Wait(busy)
    if not any(feedback.log_ends.values()):
        return Wait("no feedback has been accepted yet")
    if feedback.new < threshold:
        return Wait(f"{feedback.new:,} new events since the last learning; the loop starts at {threshold:,}")
    cursor = positions_text(feedback.log_ends)
    return Start(
        run_key=f"feedback up to {cursor}",
        cursor=cursor,
        reason=f"{feedback.new:,} new events since the last learning",
    )


def learned_positions(*known: Positions) -> dict[int, int]:
    """The furthest of several positions, partition by partition."""
    partitions = sorted({partition for positions in known for partition in positions})
    return {partition: max(positions.get(partition, 0) for positions in known) for partition in partitions}


def positions_text(positions: Positions) -> str:
    """Positions as text, for cursors, run keys and metadata."""
    return json.dumps({str(partition): positions[partition] for partition in sorted(positions)})


def positions_from(text: str | None) -> dict[int, int]:
    """Positions from their text; none where there is no text."""
    return {int(partition): int(end) for partition, end in json.loads(text).items()} if text else {}
