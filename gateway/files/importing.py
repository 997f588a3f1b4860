"""`heed ingest FILE`: a file's rows through the same intake as HTTP, with a verdict for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from feedback.errors import ImportFileError, ImportStopped, LogError
from feedback.intake import Intake
from feedback.occurrences import Occurrences
from feedback.verdicts import NO_VERDICTS, Rejected, Verdict, VerdictCounts, count_verdicts
from gateway.files.cells import NOTE_WORDS, Cells, Note
from gateway.files.columns import ImportPlan, check_fields, check_plan, resolve_columns
from gateway.files.formats.readers import Row, decode_row, read_batches
from gateway.files.formats.sources import Unreadable
from gateway.files.refusals import Refusals
from gateway.files.rows import RowReader, float_id_fields

OnRows = Callable[[int], None]
Fields = dict[str, Any]
FileEvent = Fields | bytes | Rejected
"""A row as an event for admission, as bytes for it to refuse, or refused already."""


Fault = ImportFileError | LogError | KeyboardInterrupt
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


class ImportNote(msgspec.Struct, frozen=True):
    """An assumption of the importer, and for how many cells or rows."""

    note: str
    count: int
    meaning: str


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one file."""

    file: str
    counts: VerdictCounts
    seconds: float
    refused_file: str | None
    notes: list[ImportNote] = []
    unknown_kinds: dict[str, int] = {}
    stopped: str | None = None


class FileStopped(ImportStopped):
    """Raised when a file stops half-way, with the report of the rows before that."""

    def __init__(self, message: str, report: ImportReport, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.report = report
        self.exit_code = exit_code


def import_file(
    path: Path, plan: ImportPlan, intake: Intake, *, refused_to: Path, on_rows: OnRows = lambda done: None
) -> ImportReport:
    """Send every row of a file through the intake; refused rows go to `refused_to` with their reasons.

    Where `refused_to` exists already, the name gets a number: no run overwrites another's file.

    Raises:
        ImportFileError: The file or the plan cannot be used; nothing of it was sent then.
        FileStopped: The file or the log stopped half-way; rows before that are in, sending the file again is safe.
    """
    check_plan(plan)
    started, counts = time.perf_counter(), NO_VERDICTS
    rows = FileRows(plan, where=str(path))
    send = partial(intake.submit, occurrences=Occurrences(), keep_null_words=plan.keep_null_words)
    fault: Fault | None = None
    with Refusals(refused_to) as refusals:
        try:
            for batch in read_batches(path, separator=plan.separator, names=plan.names):
                kept, events = rows.events(batch)
                verdicts = submit(events, send)
                counts = counts + count_verdicts(verdicts)
                refusals.write(kept, verdicts)
                on_rows(counts.sent)
        except (ImportFileError, LogError, KeyboardInterrupt) as error:
            if not counts.sent:
                raise
            fault = error
    report = ImportReport(
        file=str(path),
        counts=counts,
        seconds=time.perf_counter() - started,
        refused_file=refusals.written,
        notes=rows.notes(),
        unknown_kinds=dict(rows.unknown_kinds()),
        stopped=None if fault is None else _words_of(fault, path),
    )
    if fault is not None:
        raise _stopped(report, fault) from fault
    return report


def _stopped(report: ImportReport, fault: Fault) -> FileStopped:
    code = INTERRUPTED if isinstance(fault, KeyboardInterrupt) else 1
    return FileStopped(_half_way(report), report, exit_code=code)


def _words_of(fault: Fault, path: Path) -> str:
    return f"{path}: stopped" if isinstance(fault, KeyboardInterrupt) else str(fault)


def _half_way(report: ImportReport) -> str:
    counts = report.counts
    return (
        f"{report.stopped}; the {counts.sent:,} rows before that have their verdicts: {counts.accepted:,} accepted, "
        f"{counts.duplicates:,} duplicates, {counts.rejected:,} rejected; sending the whole file again is safe: "
        "rows that are in are duplicates then"
    )


class FileRows:
    """The rows of one file as events; which column is which field is settled by the first rows."""

    def __init__(self, plan: ImportPlan, *, where: str) -> None:
        self._plan = plan
        self._where = where
        self._cells = Cells(plan.list_separator, plan.time_form, plan.keep_null_words)
        self._present: dict[str, None] = {}
        self._reader: RowReader | None = None
        self._unknown: dict[str, int] = {}

    def events(self, batch: Sequence[Row]) -> tuple[list[Row], list[FileEvent]]:
        """The rows that are not blank, and the event of each or why it is none.

        Raises:
            ImportFileError: The columns do not fit the plan.
        """
        decoded = [decode_row(row) for _, row in batch]
        tabular = not any(isinstance(row, bytes) for _, row in batch)
        if self._reader is None and all(isinstance(row, Unreadable) for row in decoded):
            first = next(row for row in decoded if isinstance(row, Unreadable))
            raise ImportFileError(f"{self._where}: none of the first {len(batch):,} rows can be read: {first.detail}")
        self._settle(decoded, tabular=tabular)
        kept: list[Row] = []
        events: list[FileEvent] = []
        for row, fields in zip(batch, decoded, strict=True):
            if isinstance(fields, dict):
                if tabular and _is_blank(fields):
                    self._cells.notes[Note.BLANK_ROW] += 1
                    continue
                events.append(fields if self._reader is None or _enveloped(fields) else self._reader.event(fields))
            elif isinstance(fields, Unreadable):
                events.append(Rejected(fields.code, fields.detail))
            else:
                events.append(fields)
            kept.append(row)
        return kept, events

    def notes(self) -> list[ImportNote]:
        """The importer's assumptions, with counts."""
        found = self._cells.notes
        return [ImportNote(str(note), found[note], NOTE_WORDS[note]) for note in Note if found[note]]

    def unknown_kinds(self) -> dict[str, int]:
        """How often each type of event came that no rule names."""
        self._keep_unknown()
        return self._unknown

    def _settle(self, rows: Sequence[Fields | bytes | Unreadable], *, tabular: bool) -> None:
        """Settle which column is which field; in JSON not every row has every column, so new ones are looked at."""
        if tabular and self._reader is not None:
            return
        objects = [row for row in rows if isinstance(row, dict)]
        new = dict.fromkeys(name for row in objects for name in row if name not in self._present)
        if not objects or (self._reader is not None and not new):
            return
        first = self._reader is None
        self._present.update(new)
        if first and not self._plan.kind and not self._plan.columns and "specversion" in self._present:
            columns = None
        else:
            found = resolve_columns(self._plan, list(self._present), where=self._where)
            if first:
                check_fields(self._plan, found, where=self._where)
            carried = self._plan.kind is None and not self._plan.columns
            columns = None if carried else found
        if first and tabular:
            named = columns if columns is not None else {name: name for name in self._present}
            self._cells.float_ids = float_id_fields(named, objects)
        self._keep_unknown()
        self._reader = RowReader(self._plan, columns, self._cells, nested=not tabular)

    def _keep_unknown(self) -> None:
        if self._reader is not None:
            for word, count in self._reader.unknown_kinds.items():
                self._unknown[word] = self._unknown.get(word, 0) + count
            self._reader.unknown_kinds.clear()


def _is_blank(fields: Fields) -> bool:
    return not any(fields.values()) and all(cell is None or cell == "" for cell in fields.values())


def _enveloped(fields: Fields) -> bool:
    """Whether the row is a CloudEvent: admission opens it."""
    return "specversion" in fields


def submit(events: Sequence[FileEvent], send: Callable[[Sequence[Fields | bytes]], list[Verdict]]) -> list[Verdict]:
    """Verdicts of all rows in order: those refused on the way here, and what the intake says of the others."""
    if not any(isinstance(event, Rejected) for event in events):
        return send(cast("Sequence[Fields | bytes]", events))
    answers = iter(send([event for event in events if not isinstance(event, Rejected)]))
    return [
        event.verdict(index) if isinstance(event, Rejected) else msgspec.structs.replace(next(answers), index=index)
        for index, event in enumerate(events)
    ]
