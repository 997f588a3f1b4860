"""Intake: what the HTTP gateway and the file import share. Records in, verdicts out, accepted ones durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from feedback.admission import Admission, Admitted
from feedback.errors import REMEDIES, Code
from feedback.log import FeedbackLog, Headers, pack, partition_of
from feedback.open_log import open_log
from feedback.settings import Settings
from feedback.subjects import Pseudonyms, load_or_create_key
from feedback.verdicts import Rejected, Verdict

MAX_EVENTS_PER_RECORD = 2_000
"""Bounds what one poll of landing must take whole."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, with its zone."""
    return datetime.now(UTC)


class Intake:
    """Admits records, drops those the log already holds, appends the rest, and answers for each."""

    def __init__(self, admission: Admission, log: FeedbackLog, *, clock: Clock = utc_now) -> None:
        self._admission = admission
        self._log = log
        self._clock = clock

    @property
    def log(self) -> FeedbackLog:
        """The log behind this intake."""
        return self._log

    def submit(self, records: Iterable[bytes | Mapping[str, Any]], *, headers: Headers = ()) -> list[Verdict]:
        """Admit records in order; what is answered as accepted is durable in the log.

        Args:
            records: As they were sent.
            headers: What their log records carry beside them, such as the request's trace context.

        Raises:
            LogError: The log refused the append; then nothing of this call was accepted.
        """
        now = self._clock()
        outcomes = [self._admission.admit(record, now) for record in records]
        known = self._log.recall([o.key for o in outcomes if isinstance(o, Admitted)])
        verdicts: list[Verdict] = []
        fresh: list[tuple[int, bytes, bytes]] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Rejected):
                verdicts.append(outcome.verdict(index))
            elif outcome.key in known:
                verdicts.append(_duplicate(index, outcome.id))
            else:
                known.add(outcome.key)
                partition = partition_of(outcome.owner, self._log.partitions)
                fresh.append((partition, outcome.line, outcome.key))
                verdicts.append(Verdict(index=index, verdict="accepted", id=outcome.id))
        self._log.append(pack(fresh, max_events=MAX_EVENTS_PER_RECORD, headers=headers), now=now)
        return verdicts


def open_intake(settings: Settings, *, clock: Clock = utc_now) -> Intake:
    """The intake of a home: its key, its limits, its log."""
    pseudonyms = Pseudonyms(load_or_create_key(settings.subject_key_file))
    admission = Admission(
        pseudonyms,
        max_event_bytes=settings.max_event_bytes,
        max_future=timedelta(seconds=settings.max_future_seconds),
    )
    return Intake(admission, open_log(settings), clock=clock)


def _duplicate(index: int, event_id: str) -> Verdict:
    remedy = REMEDIES[Code.DUPLICATE]
    return Verdict(
        index=index,
        verdict="duplicate",
        id=event_id,
        code=Code.DUPLICATE,
        detail=remedy.meaning,
        remedy=remedy.remedy,
    )
