"""What `heed ingest FILE --dry-run` shows to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import Output

if TYPE_CHECKING:
    from gateway.files.importing import ImportNote
    from gateway.files.preview import Preview

_SHOWN_COLUMNS = 40


def note_line(note: ImportNote) -> str:
    """The importer's assumptions, with counts."""
    return f"{note.meaning[:1].upper()}{note.meaning[1:]}: {note.count:,}."


def show_preview(preview: Preview, output: Output) -> None:
    """Columns, the proposed command, the first rows as they would be understood, and what would be refused."""
    output.emit(preview)
    output.say(f"Dry run of {preview.file}: nothing is sent, no home is touched.")
    taken = [seen for seen in preview.columns if seen.field or len(preview.columns) <= _SHOWN_COLUMNS]
    rows = [(seen.column, seen.field or "not taken", ", ".join(seen.samples)[:60]) for seen in taken]
    if rows:
        output.table("Columns", ("column", "field", "like"), rows)
    if len(taken) < len(preview.columns):
        output.say(f"{len(preview.columns) - len(taken)} more columns are not taken.")
    for doubt in preview.doubts:
        output.say(f"Note: {doubt}.")
    if preview.missing:
        output.say(
            f"No import is possible as it is: no column holds {' or '.join(preview.missing)}. "
            "Where one does, name it with --map, like --map user_id=COLUMN, and try again."
        )
        return
    first = [
        (seen.row, seen.kind, seen.person, seen.item, seen.value, seen.time, seen.verdict) for seen in preview.first
    ]
    output.table("First rows", ("row", "kind", "person", "item", "value", "time", "verdict"), first)
    for seen in preview.first:
        if seen.more:
            told = "; ".join(f"{name}: {value}" for name, value in seen.more.items())
            output.say(f"  row {seen.row}: {told}")
    _show_counts(preview, output)
    if preview.command is None:
        output.say("No row could be read: there is nothing to propose.")
        return
    output.say("Command:")
    output.verbatim(f"  {preview.command}")


def _show_counts(preview: Preview, output: Output) -> None:
    whole = "all" if preview.whole and preview.stopped is None else "the first"
    output.say(
        f"Of {whole} {preview.rows:,} rows {preview.accepted:,} would be accepted, {preview.duplicates:,} are "
        f"duplicates within the file, {preview.rejected:,} would be refused."
    )
    for note in preview.notes:
        output.say(note_line(note))
    if preview.refusals:
        rows = [(r.code, r.field, r.first_row, r.detail[:80], r.rows) for r in preview.refusals]
        output.table("Refused", ("code", "field", "first row", "why", "rows"), rows, numbers=1)
    if preview.unknown_kinds:
        told = ", ".join(f"{word} ({count:,})" for word, count in list(preview.unknown_kinds.items())[:10])
        output.say(f"Types of events that no rule names: {told}. Name them, like --kinds 'TYPE=view'.")
    if preview.stopped is not None:
        output.say(f"Then the file cannot be read: {preview.stopped}")
