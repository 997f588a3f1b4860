"""The port of the online store: recent events, consent and links, for serving.

Landing pushes event-level rows after each commit; the key of a row is its place in the log, so that pushing it
again changes nothing. Everything in it can be rebuilt from the lake.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import polars as pl

from lakehouse.lake import Lake
from lakehouse.landed.again import without_landed_again
from lakehouse.landed.parts import PART_ROWS, landed_parts, read_part
from lakehouse.landed.positions import Positions, Spans, spans, within
from lakehouse.tables.feedback import FEEDBACK
from online.events import ONLINE_COLUMNS, OnlinePerson, RecentEvent

LOGGER = logging.getLogger("heed.online")
WINDOW_DAYS = 30
"""The default of `dedup_window_days`."""
TELL_SECONDS = 5.0
"""How often a long catch-up logs its progress."""

PUSHED_COLUMNS = (*ONLINE_COLUMNS, "payload", "received_at", "landed_on")
"""What a push looks at: `payload` says what a consent or an identification states, the times which consent holds."""


class OnlineStore(Protocol):
    """Recent events and consent by subject; written by landing, read by serving, in several processes."""

    def push(self, events: pl.DataFrame, positions: dict[int, int]) -> None:
        """Take over rows of one commit (`PUSHED_COLUMNS` and more) and its positions, together or not at all.

        Rows below the positions that the store has already are left out, so that repeating a push is harmless; rows
        between them and the commit's start must have been pushed before (`push_commit` sees to it).
        """
        ...

    def recent(self, subject: str, *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """A person's recent events, oldest first, those of linked subjects among them.

        Args:
            subject: Whose.
            after: Per log partition, the offset below which events are known already.
        """
        ...

    def linked(self, subject: str) -> list[str]:
        """The subjects whose history is this one's, itself among them: what `recent` looks at."""
        ...

    def canonical(self) -> dict[str, str]:
        """Of each linked subject that is not the canonical one of its person, the one that is."""
        ...

    def person(self, subject: str) -> OnlinePerson:
        """What `linked` and `personal` say, asked at once."""
        ...

    def recent_of(self, subjects: Sequence[str], *, after: Mapping[int, int] | None = None) -> list[RecentEvent]:
        """The recent events of these subjects and no others, oldest first."""
        ...

    def personal(self, subject: str) -> bool:
        """Whether lists may be personal: neither this subject nor those linked with it withdrew `personalization`.

        What holds is decided by `feedback.consent`.
        """
        ...

    def owes_consents(self) -> bool:
        """Whether an earlier release wrote consent or links that are kept, by another rule."""
        ...

    def restate_consents(self, stated: pl.DataFrame, *, at: Mapping[int, int]) -> bool:
        """Take consent and the times of links from all such events below the store's positions instead.

        Args:
            stated: Those events (`PUSHED_COLUMNS`).
            at: The positions; where the store's have moved since, nothing is changed and the answer is False.
        """
        ...

    def stamp(self) -> int:
        """A number that changes whenever another process may have changed the store; cheap to ask."""
        ...

    def positions(self) -> dict[int, int]:
        """Up to where each partition of the log was pushed."""
        ...

    def trim(self, *, before: dict[int, int]) -> int:
        """Forget events below these positions, some of them later; returns how many. Links and consent stay."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


def push_commit(
    store: OnlineStore,
    lake: Lake,
    rows: pl.DataFrame,
    *,
    start: Positions,
    end: Positions,
    window_days: int = WINDOW_DAYS,
) -> None:
    """Push one commit; before it, what another worker committed and did not push.

    Args:
        store: The online store.
        lake: Where the missing rows are.
        rows: The commit's rows of `feedback`.
        start: Where the commit starts, per partition.
        end: Its positions.
        window_days: For how many days landing knows identities; what landed again after them is left out.
    """
    if missing := spans(store.positions(), start):
        _push_landed(store, lake, missing, window_days=window_days)
    store.push(without_landed_again(rows, lake, window_days=window_days), dict(end))


def rebuild(store: OnlineStore, lake: Lake, log_name: str, partitions: int, *, window_days: int = WINDOW_DAYS) -> int:
    """Push every landed row that the store lacks, as after losing it; returns how many rows were read."""
    return catch_up(store, lake, log_name, partitions, window_days=window_days)


def catch_up(store: OnlineStore, lake: Lake, log_name: str, partitions: int, *, window_days: int = WINDOW_DAYS) -> int:
    """Push the rows that were committed but not pushed before a crash; returns how many.

    They are read and pushed in parts, and each part advances the store's positions: an interrupted catch-up continues
    where it ended, and another worker's push in between skips what it has brought.
    """
    if store.owes_consents():
        _restate_consents(store, lake, window_days=window_days)
    missing = spans(store.positions(), lake.positions(log_name, partitions))
    return _push_landed(store, lake, missing, window_days=window_days)


def _restate_consents(store: OnlineStore, lake: Lake, *, window_days: int) -> None:
    """Read all consent and links again after an upgrade; where others push meanwhile, the next start tries again."""
    at = store.positions()
    pushed = spans({}, at)
    if not pushed or not lake.exists(FEEDBACK):
        return
    with lake.reading(FEEDBACK):
        stated = (
            lake.scan(FEEDBACK)
            .filter(pl.col("kind").is_in(["consent", "identify"]) & within(pushed))
            .select(PUSHED_COLUMNS)
            .collect(engine="streaming")
        )
    stated = without_landed_again(stated, lake, window_days=window_days)
    if store.restate_consents(stated, at=at):
        told = "consent and links were taken from the lake again, by the order of the log"
        LOGGER.info(told, extra={"events": stated.height})


def _push_landed(
    store: OnlineStore, lake: Lake, missing: Spans, *, window_days: int, clock: Callable[[], float] = time.monotonic
) -> int:
    """Push what landed between two positions of each partition."""
    parts = landed_parts(lake, missing, part_rows=PART_ROWS)
    total = sum(part.rows for part in parts)
    done = 0
    told_at = clock()
    for part in parts:
        rows = read_part(lake, part, PUSHED_COLUMNS)
        store.push(without_landed_again(rows, lake, window_days=window_days), {part.partition: part.end})
        done += part.rows
        if clock() - told_at >= TELL_SECONDS:
            told_at = clock()
            LOGGER.info("the online store is catching up", extra={"rows": done, "of": total})
    if total > PART_ROWS:
        LOGGER.info("the online store has caught up", extra={"rows": done})
    return done
