"""`heed ingest FILE --dry-run`: how a file's rows would be understood, and what would be refused; nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, cast

import msgspec

from feedback.admission import Admission
from feedback.errors import ImportFileError
from feedback.intake import Intake
from feedback.log.port import FeedbackLog
from feedback.occurrences import Occurrences
from feedback.settings.landing import AdmissionSettings
from feedback.subjects import KEY_BYTES, Pseudonyms
from feedback.verdicts import NO_VERDICTS, Verdict, count_verdicts
from gateway.files.cells import CONTEXT
from gateway.files.columns import ImportPlan, check_plan
from gateway.files.dry_log import DryLog
from gateway.files.formats.layout import Layout, layout_of
from gateway.files.formats.readers import FORMATS, Row, check_file, decode_row, ending_of, read_batches
from gateway.files.importing import FileEvent, FileRows, ImportNote, submit
from gateway.files.profiles import Profile, add_rows
from gateway.files.proposal import command_of, names_by_values, propose
from gateway.files.rows import ANY_FIELD, FIELDS

PREVIEW_ROWS = 200_000
"""A dry run looks at no more rows; it says so where a file has more."""
FIRST_ROWS = 5


class ColumnSeen(msgspec.Struct, frozen=True):
    """A column of the file: the field that it would become, if any, and some of its values."""

    column: str
    field: str | None
    samples: list[str]


class RowSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it would be understood; `verdict` is accepted, or the code with which it would be refused."""

    row: int
    kind: str | None = None
    person: str | None = None
    item: str | None = None
    value: str | None = None
    time: str | None = None
    more: dict[str, str] = {}
    verdict: str
    detail: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows would be refused with a code and field, and the first of them."""

    code: str
    field: str | None
    rows: int
    first_row: int
    detail: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run found."""

    file: str
    columns: list[ColumnSeen]
    kind: str | None
    command: str | None
    doubts: list[str]
    missing: list[str]
    rows: int
    whole: bool
    accepted: int
    duplicates: int
    rejected: int
    first: list[RowSeen]
    refusals: list[Refusal]
    notes: list[ImportNote]
    unknown_kinds: dict[str, int]
    stopped: str | None = None


def preview_file(path: Path, given: ImportPlan, rules: AdmissionSettings, *, now: datetime) -> Preview:
    """Propose what the given plan leaves open, and try it on the file's first `PREVIEW_ROWS` rows.

    Raises:
        ImportFileError: The file cannot be read at all.
    """
    check_plan(given)
    check_file(path)
    layout = layout_of(path, given.separator)
    given = _laid_out(given, layout, path)
    profiles = _profiles(path, given)
    proposal = propose(profiles, path=path, given=given)
    plan = proposal.plan
    columns = [ColumnSeen(name, _fields_of(name, plan), profile.samples) for name, profile in profiles.items()]
    trial = _Trial(rules, now)
    missing = proposal.missing if profiles else []
    if not missing:
        trial.run(path, plan if profiles else given)
    counts = trial.counts
    return Preview(
        file=str(path),
        columns=columns,
        kind=plan.kind,
        command=None if missing or not profiles else command_of(path, plan),
        doubts=proposal.doubts,
        missing=missing,
        rows=counts.sent,
        whole=trial.whole,
        accepted=counts.accepted,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        first=trial.first,
        refusals=trial.refusals(),
        notes=trial.notes,
        unknown_kinds=trial.unknown_kinds,
        stopped=trial.stopped,
    )


def _fields_of(column: str, plan: ImportPlan) -> str | None:
    """The fields that a column becomes; without a map those of its own name."""
    if plan.columns:
        return ", ".join(name for name, taken in plan.columns.items() if taken == column) or None
    known = FIELDS[plan.kind] if plan.kind else ANY_FIELD
    return column if column in known | CONTEXT or column == "kind" else None


def _laid_out(given: ImportPlan, layout: Layout, path: Path) -> ImportPlan:
    """The plan with the separator, and names for a table without a header, where they are not the usual ones."""
    if layout.separator is None:
        return given
    usual = FORMATS.get(ending_of(path))
    plan = given if given.separator or layout.separator == usual else replace(given, separator=layout.separator)
    if layout.named or given.names or not layout.head:
        return plan
    width = max(Counter(len(row) for row in layout.head).items(), key=lambda pair: pair[1])[0]
    blank = tuple(f"column_{place}" for place in range(1, width + 1))
    profiles: dict[str, Profile] = {}
    add_rows(profiles, (dict(zip(blank, row, strict=False)) for row in layout.head))
    return replace(plan, names=tuple(names_by_values([profiles[name] for name in blank])))


def _profiles(path: Path, plan: ImportPlan) -> dict[str, Profile]:
    profiles: dict[str, Profile] = {}
    rows = 0
    try:
        for batch in read_batches(path, separator=plan.separator, names=plan.names):
            decoded = [decode_row(row) for _, row in batch]
            add_rows(profiles, (row for row in decoded if isinstance(row, dict)))
            rows += len(batch)
            if rows >= PREVIEW_ROWS:
                break
    except ImportFileError:
        if not profiles:
            raise
    return profiles


class _Trial:
    """Admits rows without a home, and counts what would become of them."""

    def __init__(self, rules: AdmissionSettings, now: datetime) -> None:
        admission = Admission(Pseudonyms(bytes(KEY_BYTES)), rules)
        self._intake = Intake(admission, cast("FeedbackLog", DryLog()), clock=lambda: now)
        self._refused: dict[tuple[str, str | None], Refusal] = {}
        self.counts = NO_VERDICTS
        self.whole = True
        self.first: list[RowSeen] = []
        self.notes: list[ImportNote] = []
        self.unknown_kinds: dict[str, int] = {}
        self.stopped: str | None = None

    def run(self, path: Path, plan: ImportPlan) -> None:
        """Try a plan on the rows of a file."""
        rows = FileRows(plan, where=str(path))
        send = partial(self._intake.submit, occurrences=Occurrences(), keep_null_words=plan.keep_null_words)
        try:
            for batch in read_batches(path, separator=plan.separator, names=plan.names):
                kept, events = rows.events(batch)
                verdicts = submit(events, send)
                self.counts += count_verdicts(verdicts)
                self._note(kept, events, verdicts)
                if self.counts.sent >= PREVIEW_ROWS:
                    self.whole = False
                    break
        except ImportFileError as error:
            if not self.counts.sent:
                raise
            self.stopped = str(error)
        self.notes = rows.notes()
        self.unknown_kinds = rows.unknown_kinds()

    def _note(self, rows: Sequence[Row], events: Sequence[FileEvent], verdicts: Sequence[Verdict]) -> None:
        for row, event, verdict in zip(rows, events, verdicts, strict=True):
            if verdict.verdict == "rejected":
                self._refuse(row[0], verdict)
            if len(self.first) < FIRST_ROWS:
                self.first.append(_seen(row, event, verdict))

    def _refuse(self, place: int, verdict: Verdict) -> None:
        key = (str(verdict.code), verdict.field)
        before = self._refused.get(key)
        self._refused[key] = Refusal(
            code=key[0],
            field=verdict.field,
            rows=1 if before is None else before.rows + 1,
            first_row=place if before is None else before.first_row,
            detail=verdict.detail or "" if before is None else before.detail,
        )

    def refusals(self) -> list[Refusal]:
        """What would be refused, the most frequent first."""
        return sorted(self._refused.values(), key=lambda refusal: -refusal.rows)


def _seen(row: Row, event: FileEvent, verdict: Verdict) -> RowSeen:
    place, raw = row
    said = str(verdict.code) if verdict.verdict == "rejected" else verdict.verdict
    detail = verdict.detail if verdict.verdict == "rejected" else None
    if not isinstance(event, dict):
        shown = raw if isinstance(raw, dict) else {}
        return RowSeen(row=place, verdict=said, detail=detail, more=_short(shown.items()))
    told = {"kind", "user_id", "anonymous_id", "item_id", "value", "scale", "occurred_at", "source"}
    context = event.get("context")
    more = chain(event.items(), context.items() if isinstance(context, dict) else ())
    return RowSeen(
        row=place,
        kind=_text(event.get("kind")),
        person=_text(event.get("user_id") or event.get("anonymous_id")),
        item=_text(event.get("item_id")),
        value=_on_scale(event),
        time=_in_words(event.get("occurred_at")),
        more=_short((name, value) for name, value in more if name not in told and name != "context"),
        verdict=said,
        detail=detail,
    )


def _short(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    return {name: _text(value) or "" for name, value in pairs if value is not None and value != ""}


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _on_scale(event: Mapping[str, Any]) -> str | None:
    value, scale = event.get("value"), event.get("scale")
    if value is None:
        return None
    if isinstance(scale, list | tuple) and len(scale) == 2:
        return f"{value} of {scale[0]:g} to {scale[1]:g}"
    return f"{value} of 0 to 10" if event.get("metric") == "nps" else str(value)


def _in_words(value: object) -> str | None:
    """A time as people say it: `Wed 31 Jan 2024, 09:30:00 UTC`."""
    if not isinstance(value, datetime):
        return _text(value)
    moment = value.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%a %d %b} {moment.year}, {moment:%H:%M:%S}{fraction} UTC"
