"""Replay: quarantined rows go through the log and landing again, repaired or as they are, each once.

Lines are checked by landing's own rules before anything is written. What passes is planned in the ledger, appended to
the log as any event is, and finished in the ledger. A crash between any two of these steps is repaired by the next
replay: it appends the planned lines again, and landing drops them as duplicates if they were in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from beam_jobs.batch import Poll
from beam_jobs.repair import Left, Repair, repaired_line
from beam_jobs.stages.admit import admit
from beam_jobs.stages.chain import StageChain, StageMaker, open_chain
from beam_jobs.stages.decode import decode
from beam_jobs.stages.limits import LandingLimits
from beam_jobs.stages.registry import STAGES
from feedback.admitted import identity_key, owner_of
from feedback.errors import Code, UsageError
from feedback.intake import MAX_EVENTS_PER_RECORD, Clock, utc_now
from feedback.log.port import UNLIMITED_BYTES, FeedbackLog, LogRecord, Memo, pack, partition_of
from feedback.log.records import Records
from feedback.settings.home import Settings
from feedback.settings.landing import AdmissionSettings
from feedback.statements import topic_of_columns
from lakehouse.fenced_table import FaultPoint, no_faults
from lakehouse.lake import Lake, open_lake
from lakehouse.landed.continuity import open_landed_log
from lakehouse.landed.positions import PLACE_TYPES
from lakehouse.landed.quarantine import read_parts, select_rows
from lakehouse.landed.replays import Place, Plan, PlannedLine, ReplayLedger
from lakehouse.tables.positions import PLACE

MAX_EXAMPLES = 3


class RepairedExample(msgspec.Struct, frozen=True, kw_only=True):
    """One row before and after repair."""

    place: str
    before: str
    after: str


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one replay did.

    Attributes:
        selected: Rows that the code and the condition chose and that could go.
        replayed: Of them, those that are in the log again (with `dry_run`: that would be).
        left: Of them, those that stay, by reason.
        already_replayed: Rows that went before.
        cut: Rows whose raw line was cut; `without_raw`: that have none; `whole_records`: that stand for many lines.
        resumed: Rows of an earlier replay that was cut short, appended now.
        went_to: Where the replayed and resumed rows went.
    """

    code: str
    dry_run: bool
    selected: int
    replayed: int
    left: dict[str, int]
    already_replayed: int
    cut: int
    without_raw: int
    whole_records: int
    resumed: int
    examples: list[RepairedExample]
    went_to: list[Place]

    @property
    def targets(self) -> dict[int, int]:
        """Per partition, the position after the last replayed row."""
        ends: dict[int, int] = {}
        for partition, offset, _ in self.went_to:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        return ends


class Replayer:
    """Runs replays over one home."""

    def __init__(
        self,
        lake: Lake,
        log: FeedbackLog,
        settings: Settings,
        *,
        clock: Clock = utc_now,
        fault: FaultPoint = no_faults,
        stages: Sequence[StageMaker] = STAGES,
    ) -> None:
        self.lake = lake
        self.log = log
        self._settings = settings
        self._clock = clock
        self._fault = fault
        self._stages = stages
        self._ledger = ReplayLedger(lake)

    def run(
        self,
        code: str,
        *,
        repair: Repair | None = None,
        where: str | None = None,
        dry_run: bool = False,
        on_rows: Callable[[int], None] = lambda done: None,
    ) -> ReplayReport:
        """Replay the rows of a code.

        Raises:
            UsageError: The code keeps nothing to replay, or the condition is none.
            ReplayInProgress: Another replay is under way.
            LogError: The log refused; the next replay carries on.
        """
        refuse_code(code)
        with open_chain(self._stages, self._settings) as chain:
            return self._replay(code, chain, repair=repair, where=where, dry_run=dry_run, on_rows=on_rows)

    def _replay(
        self,
        code: str,
        chain: StageChain,
        *,
        repair: Repair | None,
        where: str | None,
        dry_run: bool,
        on_rows: Callable[[int], None],
    ) -> ReplayReport:
        resumed = [] if dry_run else [place for plan in self._ledger.open_plans() for place in self._carry_out(plan)]
        selection = select_rows(self.lake, code=code, where=where)
        left: Counter[str] = Counter()
        examples: list[RepairedExample] = []
        went_to: list[Place] = []
        done = replayed = 0
        for part in read_parts(self.lake, selection.rows):
            ready = self._judged(code, part, repair, left, examples, chain)
            replayed += len(ready)
            if ready and not dry_run:
                plan = self._ledger.plan(ready, at=self._clock())
                self._fault("after plan")
                went_to.extend(self._carry_out(plan))
            done += len(part)
            on_rows(done)
        return ReplayReport(
            code=code,
            dry_run=dry_run,
            selected=selection.rows.height,
            replayed=replayed,
            left=dict(left.most_common()),
            already_replayed=selection.replayed,
            cut=selection.cut,
            without_raw=selection.without_raw,
            whole_records=selection.whole_records,
            resumed=len(resumed),
            examples=examples,
            went_to=[*resumed, *went_to],
        )

    def _judged(
        self,
        code: str,
        part: Sequence[tuple[Place, str]],
        repair: Repair | None,
        left: Counter[str],
        examples: list[RepairedExample],
        chain: StageChain,
    ) -> list[PlannedLine]:
        """The lines of a part that landing would take, as a table may keep them."""
        repaired = [(place, raw, repaired_line(raw, place, repair)) for place, raw in part]
        left.update(line.reason for _, _, line in repaired if isinstance(line, Left))
        lines = [(place, raw, line) for place, raw, line in repaired if isinstance(line, bytes)]
        fit = chain.clean([line for _, _, line in lines])
        objections = check_lines(fit, self._settings.admission, chain, at=self._clock())
        ready: list[PlannedLine] = []
        for (place, raw, _), line, objection in zip(lines, fit, objections, strict=True):
            if objection is not None:
                left[f"still refused: {objection}"] += 1
                continue
            ready.append(PlannedLine(place, code, line.decode()))
            if len(examples) < MAX_EXAMPLES:
                examples.append(RepairedExample(place="/".join(map(str, place)), before=raw, after=line.decode()))
        return ready

    def _carry_out(self, plan: Plan) -> list[Place]:
        """Append a plan's lines, and note where they went."""
        went_to = append_lines(self.log, [line.line.encode() for line in plan.lines], now=self._clock())
        self._fault("after append")
        self._ledger.finish(plan, went_to, at=self._clock())
        self._fault("after finish")
        return went_to


def open_replayer(settings: Settings) -> Replayer:
    """A replayer over the log and the lake of a home; close its log after use."""
    return Replayer(open_lake(settings), open_landed_log(settings), settings)


def refuse_code(code: str) -> None:
    """Refuse a code of which nothing can be replayed.

    Raises:
        UsageError: It is none of landing's, or it is that of duplicates.
    """
    if code == Code.DUPLICATE:
        raise UsageError("--code duplicate: a duplicate is in the lake already and keeps no raw; nothing to replay")
    if code not in set(Code):
        raise UsageError(f"--code {code!r} is unknown; `heed quarantine` shows the codes that there are")


def check_lines(
    lines: Sequence[bytes], rules: AdmissionSettings, chain: StageChain, *, at: datetime
) -> list[str | None]:
    """Why landing would refuse lines appended at a time, by its rules and stages; `None` where it would not."""
    objections: list[str | None] = [None] * len(lines)
    if not lines:
        return objections
    record = LogRecord(0, 0, int(at.timestamp() * 1000), len(lines), b"\n".join(lines))
    limits = LandingLimits(rules.max_event_bytes, UNLIMITED_BYTES, len(lines))
    poll = Poll(Records.of([record]), {0: 0}, {0: 1})
    batch = chain.process(admit(decode(poll, limits), max_future=rules.max_future))
    for refused in batch.refused:
        for index, code, detail in refused.select("log_index", "code", "detail").iter_rows():
            objections[index] = f"{code}: {detail}"
    return objections


def append_lines(log: FeedbackLog, lines: Sequence[bytes], *, now: datetime) -> list[Place]:
    """Append admitted lines to the partitions of their owners; returns where each of them went."""
    owned = [_Owned.of(line) for line in lines]
    order: dict[int, list[int]] = {}
    for number, event in enumerate(owned):
        order.setdefault(partition_of(event.owner, log.partitions), []).append(number)
    numbered = [(partition, number) for partition, numbers in order.items() for number in numbers]
    records = pack(
        ((partition, lines[number], owned[number].memo) for partition, number in numbered),
        max_events=MAX_EVENTS_PER_RECORD,
    )
    offsets = log.append(records, now=now)
    went_to: list[Place] = [(0, 0, 0)] * len(lines)
    places = (
        (record.partition, offset, index)
        for record, offset in zip(records, offsets, strict=True)
        for index in range(record.count)
    )
    for (_, number), place in zip(numbered, places, strict=True):
        went_to[number] = place
    return went_to


class _Owned(msgspec.Struct, frozen=True):
    """The owner of an admitted line, and the key by which the log recognises it."""

    owner: str
    memo: Memo

    @classmethod
    def of(cls, line: bytes) -> _Owned:
        columns = msgspec.json.decode(line, type=dict[str, Any])
        owner = owner_of(columns.get("subject"), columns.get("item_id"))
        key = identity_key(owner, columns["kind"], columns["source"], columns["id"])
        return cls(owner, Memo(key, topic=topic_of_columns(owner, columns), undated=columns.get("undated") is True))


def places_frame(places: Sequence[Place]) -> pl.DataFrame:
    """Places in the log as columns."""
    return pl.DataFrame(places, schema={name: PLACE_TYPES[name] for name in PLACE}, orient="row")
