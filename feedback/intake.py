"""Intake: admit records, append them to the log, and answer with verdicts. HTTP gateway and file import share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from feedback.admission import Admission, Admitted
from feedback.errors import REMEDIES, Code
from feedback.log.open import open_log
from feedback.log.port import FeedbackLog, Headers, Memo, pack, partition_of
from feedback.occurrences import Occurrences
from feedback.settings.home import Settings
from feedback.subjects import Pseudonyms, load_or_create_key
from feedback.verdicts import Rejected, Verdict

MAX_EVENTS_PER_RECORD = 2_000
"""Bounds what one poll of landing must take whole."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, with its zone."""
    return datetime.now(UTC)


class Intake:
    """Admits records, drops those that the log already holds, appends the rest, and returns a verdict for each."""

    def __init__(self, admission: Admission, log: FeedbackLog, *, clock: Clock = utc_now) -> None:
        self._admission = admission
        self._log = log
        self._clock = clock

    @property
    def log(self) -> FeedbackLog:
        """The log behind this intake."""
        return self._log

    def submit(
        self,
        records: Iterable[bytes | Mapping[str, Any]],
        *,
        headers: Headers = (),
        occurrences: Occurrences | None = None,
        keep_null_words: bool = False,
    ) -> list[Verdict]:
        """Admit records in order; records with the verdict accepted are durable in the log on return.

        Args:
            records: As they were sent.
            headers: Headers of their log records, such as the request's trace context.
            occurrences: The count of one file's undated events, the same for all its parts; without it, as over HTTP,
                each event without id and time counts, unless it repeats a statement that holds.
            keep_null_words: Take words like `null` for ids of persons, whatever the setting says.

        Raises:
            LogError: The log refused the append; then nothing of this call was accepted.
        """
        now = self._clock()
        outcomes = [
            self._admission.admit(record, now, occurrences=occurrences, keep_null_words=keep_null_words)
            for record in records
        ]
        verdicts, fresh = self._judge(outcomes)
        self._log.append(pack(fresh, max_events=MAX_EVENTS_PER_RECORD, headers=headers), now=now)
        return verdicts

    def _judge(self, outcomes: Sequence[Admitted | Rejected]) -> tuple[list[Verdict], list[tuple[int, bytes, Memo]]]:
        """A verdict for each outcome, and the (partition, line, memo) of the events to append."""
        seen = _Seen(self._log, [outcome for outcome in outcomes if isinstance(outcome, Admitted)])
        verdicts: list[Verdict] = []
        fresh: list[tuple[int, bytes, Memo]] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Rejected):
                verdicts.append(outcome.verdict(index))
                continue
            if outcome.links:
                fresh.extend(self._placed(link) for link in outcome.links if seen.objection(link) is None)
            objection = seen.objection(outcome)
            if objection is None:
                fresh.append(self._placed(outcome))
                verdicts.append(Verdict(index=index, verdict="accepted", id=outcome.id))
            else:
                verdicts.append(_verdict(index, outcome.id, objection))
        return verdicts, fresh

    def _placed(self, event: Admitted) -> tuple[int, bytes, Memo]:
        return partition_of(event.owner, self._log.partitions), event.line, event.memo


class _Seen:
    """Which events of one call are known: to the log, or from earlier in the same call."""

    def __init__(self, log: FeedbackLog, events: Sequence[Admitted]) -> None:
        keys = [event.memo.key for event in events]
        topics = []
        for event in events:
            if event.former:
                keys.extend(event.former)
            if event.links:
                keys.extend(link.memo.key for link in event.links)
            if event.memo.is_undated_statement:
                topics.append(event.memo.topic or "")
        self._known = log.seen_ids(keys)
        self._latest: dict[str, int | None] = dict(log.latest_statements(topics)) if topics else {}
        self._has_topics = bool(topics)

    def objection(self, event: Admitted) -> Code | None:
        """Why an event is not appended: a retry, or an id that another event has. `None`: append it; it is known from
        now on."""
        memo = event.memo
        if memo.is_undated_statement:
            if self._latest.get(memo.topic or "") == memo.content:
                return Code.DUPLICATE
        elif memo.key in self._known:
            held = self._known[memo.key]
            return Code.DUPLICATE if held is None or held == memo.content else Code.ID_CONFLICT
        elif event.former and not self._known.keys().isdisjoint(event.former):
            return Code.DUPLICATE
        else:
            self._known[memo.key] = memo.content
        if self._has_topics and memo.topic is not None:
            self._latest[memo.topic] = memo.content if memo.undated else None
        return None


def open_intake(settings: Settings, *, clock: Clock = utc_now) -> Intake:
    """The intake of a home: its key, its limits, its log."""
    pseudonyms = Pseudonyms(load_or_create_key(settings.paths.subject_key_file))
    return Intake(Admission(pseudonyms, settings.admission), open_log(settings.log), clock=clock)


def _verdict(index: int, event_id: str, code: Code) -> Verdict:
    """A retry is a duplicate, an id that is taken is a rejection."""
    remedy = REMEDIES[code]
    return Verdict(
        index=index,
        verdict="duplicate" if code == Code.DUPLICATE else "rejected",
        id=event_id,
        code=code,
        field=None if code == Code.DUPLICATE else "id",
        detail=remedy.meaning,
        remedy=remedy.remedy,
    )
