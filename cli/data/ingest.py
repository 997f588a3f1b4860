"""`heed ingest FILE`: a file of feedback or of items through the gateway's intake."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.data.ingest_preview import note_line, show_preview
from cli.output import Output
from cli.pairs import limit_of, pairs_of, pairs_of_maps
from feedback.errors import ImportFileError, RowsRefused, UsageError
from feedback.intake import open_intake
from feedback.settings.home import Settings, ensure_home, load_settings
from feedback.settings.landing import AdmissionSettings

if TYPE_CHECKING:
    from gateway.files.columns import ImportPlan
    from gateway.files.importing import ImportReport

COLLECT_AFTER_OBJECTS = 100_000
"""Threshold of the garbage collector: with Python's default it takes 5 % of an import."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", help="Kind of every row, like rating or item; not needed where rows carry `kind`.")
@click.option(
    "--map", "columns", metavar="FIELD=COLUMN", multiple=True, help="Which column is which field; repeatable."
)
@click.option("--kinds", metavar="TYPE=KIND,…", multiple=True, help="Kind of a type of event: LIKE=reaction:like.")
@click.option("--scale", metavar="LOW,HIGH", help="Lowest and highest possible value, like 0.5,5.")
@click.option("--set", "constants", metavar="FIELD=VALUE", multiple=True, help="The same value in every row.")
@click.option("--separator", help="What parts cells of a text file; by default its ending decides.")
@click.option("--columns", "names", metavar="NAME,…", help="Column names of a text file without a header.")
@click.option("--list-separator", default="|", show_default=True, help="What parts members of a list in a cell.")
@click.option("--time-format", metavar="FORMAT", help="How times are written, like '%d/%m/%Y %H:%M'; ISO needs none.")
@click.option("--keep-null-words", is_flag=True, help="Take cells like NULL, nan or N/A as they are, not as empty.")
@click.option("--source", help="What to note as source  [default: import; events keep their own]")
@click.option("--max-refused", default="0", metavar="ROWS", help="Exit with 0 if no more are refused: 10, or 1%.")
@click.option("--dry-run", is_flag=True, help="Show how rows would be understood, and propose a map; send nothing.")
@click.option("--home", metavar="DIR", help="Heed's home folder  [default: HEED_HOME, else ~/.heed]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for programs.")
def ingest(file: Path, max_refused: str, *, dry_run: bool, home: str | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - checked by `_plan`
    """Send a CSV, TSV, JSON or Parquet file through the gateway's intake.

    Times may be unix seconds to nanoseconds, ISO or YYYYMMDD; without a zone they are taken as UTC.
    """
    settings, output = load_settings(home), Output(as_json=as_json)
    plan = _plan(**options)
    limit_of(max_refused, 0)
    if dry_run:
        _dry_run(file, plan, settings.admission, output)
    else:
        ensure_home(settings)
        _import(file, plan, settings, output, max_refused)


def _dry_run(file: Path, plan: ImportPlan, rules: AdmissionSettings, output: Output) -> None:
    from gateway.files.preview import preview_file

    show_preview(preview_file(file, plan, rules, now=datetime.now(UTC)), output)


def _import(file: Path, plan: ImportPlan, settings: Settings, output: Output, max_refused: str) -> None:
    from gateway.files.importing import FileStopped, import_file
    from lakehouse.subject_key import verify_subject_key

    refused_to = settings.paths.refused / f"{file.name[:200]}.jsonl"
    verify_subject_key(settings)
    intake = open_intake(settings)
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 50, 50)
    try:
        with output.progress(f"ingesting {file.name}") as bar:
            report = import_file(file, plan, intake, refused_to=refused_to, on_rows=bar.to)
    except FileStopped as error:
        _tell(error.report, output)
        raise
    finally:
        intake.log.close()
    _tell(report, output)
    if report.counts.accepted:
        output.styled("Next: [bold]heed run[/bold] lands it, checks it, learns from it and publishes.")
    _judge(report, max_refused)


def _judge(report: ImportReport, max_refused: str) -> None:
    """Raise where rows were refused.

    Raises:
        ImportFileError: Every row was refused.
        RowsRefused: More rows were refused than allowed.
    """
    refused, sent = report.counts.rejected, report.counts.sent
    if refused and refused == sent:
        raise ImportFileError(
            f"{report.file}: every row was refused; {report.refused_file} says why; "
            "`heed ingest FILE --dry-run` shows how rows are understood"
        )
    if refused > limit_of(max_refused, sent):
        raise RowsRefused(
            f"{report.file}: {refused:,} of {sent:,} rows were refused and are not in; {report.refused_file} says why; "
            f"send the corrected rows again, or accept the loss with --max-refused {refused}"
        )


def _tell(report: ImportReport, output: Output) -> None:
    output.emit(report)
    counts = report.counts
    rows = "row" if counts.sent == 1 else "rows"
    output.styled(
        "[bold]{:,}[/bold] {} in {:.1f} s: {:,} accepted, {:,} duplicates, {:,} rejected",
        counts.sent, rows, report.seconds, counts.accepted, counts.duplicates, counts.rejected,
    )  # fmt: skip
    for note in report.notes:
        output.say(note_line(note))
    rejected = {code: n for code, n in counts.codes.items() if code != "duplicate"}
    if rejected:
        output.table("", ("code", "rows"), sorted(rejected.items()), numbers=1)
        output.say(f"Refused rows and their reasons: {report.refused_file}")
    if report.unknown_kinds:
        words = sorted(report.unknown_kinds.items(), key=lambda pair: -pair[1])[:10]
        told = ", ".join(f"{word} ({count:,})" for word, count in words)
        output.say(f"Types of events that no rule names: {told}. Name them, like --kinds '{words[0][0]}=view'.")


def _plan(
    *,
    kind: str | None,
    columns: tuple[str, ...],
    kinds: tuple[str, ...],
    scale: str | None,
    constants: tuple[str, ...],
    separator: str | None,
    names: str | None,
    list_separator: str,
    time_format: str | None,
    keep_null_words: bool,
    source: str | None,
) -> ImportPlan:
    from gateway.files.columns import ImportPlan

    return ImportPlan(
        kind=kind,
        columns=pairs_of_maps(columns),
        scale=_scale(scale),
        constants=pairs_of("--set", constants, "field=value, like country=DE"),
        list_separator=list_separator,
        source=source,
        separator=separator.encode().decode("unicode_escape") if separator else None,
        names=tuple(names.split(",")) if names else (),
        kinds=pairs_of("--kinds", [word for text in kinds for word in text.split(",")], "type=kind, like VIEW=view"),
        time_form=time_format,
        keep_null_words=keep_null_words,
    )


def _scale(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scale {text!r}: write the lowest and highest possible value, like 0.5,5") from error
    return low, high
