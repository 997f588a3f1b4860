"""The log's clock: a time per partition that follows the log's record times but ignores impossible ones.

A record's log time comes from a broker, a host or, on a Kafka topic with CreateTime, from whoever wrote it; any of
them may be wrong by years. Known ids and live windows are kept by the partition's clock, so one wrong time must not
move it. Everything here follows from the times of the log alone, in its order, and from what was committed of them:
a retry decides the same.

| a log time that is | is believed | and the clock |
|---|---|---|
| not before the clock and at most `STEP` ahead | as it is | moves to it |
| before the clock by at most `STEP` | held at `BACK` before the clock | stays |
| ahead by more, but by at most `SILENCE` | as it is | stays until such times have lasted for `ERA` |
| further ahead, before it by more than `STEP`, or no time at all | held at the clock | the same |

Times that stay near each other for `ERA`, with none near the clock in between, are a new era: the log was silent, or
the clock was wrong and has been set. Then the clock moves there, forwards or back. It also moves forwards when the next
time is later again, by more than `ERA` and by at least half as much as the era is ahead, as in a log that is written to
once a week; two wrong clocks that differ little from each other do not look like that. A time that was held is out of
bounds, and is counted under the code `log_time`. The very first time of a partition is taken as it is; until a second
one agrees with it, the clock is not firm, and no event is refused by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from beam_jobs.batch import Poll
from feedback.bounds import FIRST_LOG_MS, LAST_LOG_MS

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BACK_MS = 5 * MINUTE_MS
"""How far out of order record times may be, because appends overtake each other."""
STEP_MS = DAY_MS
"""How far the clock moves at once."""
ERA_MS = DAY_MS
"""For how long times must agree with each other before the clock follows them over more than a step."""
SILENCE_MS = 366 * DAY_MS
"""How long a log may be silent before its next time is doubted."""

Times = npt.NDArray[np.int64]


class PartitionClock(NamedTuple):
    """What time it is in a partition, and when an era began that is not believed yet; ms since 1970 (UTC), 0: none."""

    now_ms: int = 0
    era_ms: int = 0
    is_firm: bool = False
    """Whether two times have agreed on it."""

    @classmethod
    def noted(cls, now_ms: int, era_note: int) -> PartitionClock:
        """The clock that was committed."""
        return cls(now_ms, max(0, era_note if era_note > 1 else -era_note if era_note < -1 else 0), era_note >= 0)

    @property
    def era_note(self) -> int:
        """The era as one number beside `now_ms`: below zero where the clock is not firm, -1 for none."""
        return self.era_ms if self.is_firm else -(self.era_ms or 1)


@dataclass(frozen=True, slots=True)
class Belief:
    """The believed log times of one partition, row by row."""

    believed: Times
    latest: Times
    """The latest time that an event of the record may state, apart from `max_future_seconds`."""
    is_doubted: npt.NDArray[np.bool_]
    clock: PartitionClock


def believe(clock: PartitionClock, told: Times) -> Belief:
    """Judge the log times of one partition's next records (ms since 1970), in their order."""
    natural = _natural(clock, told)
    if natural is not None:
        return Belief(told, told, np.zeros(len(told), np.bool_), natural)
    believed, latest = told.copy(), told.copy()
    doubted = np.zeros(len(told), np.bool_)
    for row, time in enumerate(told.tolist()):
        believed[row], latest[row], doubted[row], clock = judge(clock, time)
    return Belief(believed, latest, doubted, clock)


def judge(clock: PartitionClock, time: int) -> tuple[int, int, bool, PartitionClock]:
    """Judge one log time: what is believed, the latest time of its events, whether it is doubted, the clock after.

    A time that the clock does not follow does not tell how late it is, so its events may be later by a silence. Nor
    does one near the clock while others are ahead: after a silence it may be that of a slow producer.
    """
    now, era, is_firm = clock
    horizon = min(now + SILENCE_MS, LAST_LOG_MS) if is_firm else LAST_LOG_MS
    if not FIRST_LOG_MS <= time <= LAST_LOG_MS:
        return now or FIRST_LOG_MS, horizon, True, clock
    if not now:
        return time, time, False, PartitionClock(time, is_firm=False)
    if now - STEP_MS <= time <= now + STEP_MS:
        held = max(time, now - BACK_MS)
        latest = horizon if held != time or era > now else time
        return held, latest, held != time, PartitionClock(max(now, time), is_firm=True)
    is_same_era = era and era - STEP_MS <= time <= era + ERA_MS + STEP_MS
    if is_same_era and time >= era + ERA_MS:
        return time, time, False, PartitionClock(time, is_firm=True)
    if era > now and max(ERA_MS, (era - now) / 2) <= time - era <= SILENCE_MS:  # a later time of another visit
        return judge(PartitionClock(era, is_firm=True), time)
    after = clock if is_same_era else PartitionClock(now, time, is_firm)
    if time > now and time - now <= SILENCE_MS:
        return time, horizon, False, after
    return now, min(time, horizon) if time > now else horizon, True, after


def believe_poll(poll: Poll, clocks: Mapping[int, PartitionClock]) -> Poll:
    """The same poll with the times that are believed, which are doubted, and each partition's clock after it.

    Args:
        poll: As it was read.
        clocks: Before it, per partition.
    """
    records = poll.records
    partitions = np.array(records.partitions, dtype=np.int32)
    told = np.array(records.appended_at_ms, dtype=np.int64)
    believed = told.copy()
    after: dict[int, PartitionClock] = {}
    latest: dict[tuple[int, int], int] = {}
    doubted: set[tuple[int, int]] = set()
    for partition in poll.end:
        rows = np.flatnonzero(partitions == partition)
        belief = believe(clocks.get(partition, PartitionClock()), told[rows])
        after[partition] = belief.clock
        believed[rows] = belief.believed
        offsets = [records.offsets[row] for row in rows.tolist()] if (belief.latest != belief.believed).any() else []
        for row in np.flatnonzero(belief.latest != belief.believed).tolist():
            latest[partition, offsets[row]] = int(belief.latest[row])
        doubted.update((partition, offsets[row]) for row in np.flatnonzero(belief.is_doubted).tolist())
    if doubted:
        records = replace(records, appended_at_ms=believed.tolist())
    return replace(
        poll,
        records=records,
        clocks={p: clock.now_ms for p, clock in after.items()},
        eras={p: clock.era_note for p, clock in after.items() if clock.now_ms},
        latest=latest,
        doubted=frozenset(doubted),
    )


def _natural(clock: PartitionClock, told: Times) -> PartitionClock | None:
    """The clock after times of which none is odd; `None` where one is."""
    if not len(told):
        return clock
    first = int(told[0])
    if clock.era_ms or not FIRST_LOG_MS <= first <= LAST_LOG_MS:
        return None
    clocks = np.maximum.accumulate(np.concatenate([[clock.now_ms or first], told]))
    if (told < clocks[:-1] - BACK_MS).any() or (told > clocks[:-1] + STEP_MS).any():
        return None
    return PartitionClock(int(clocks[-1]), is_firm=clock.is_firm or len(told) + (clock.now_ms > 0) > 1)
