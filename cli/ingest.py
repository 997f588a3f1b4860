"""`heed ingest FILE`: a file of feedback or of items through the gateway's intake."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import home_command
from cli.output import Output
from feedback.errors import ImportFileError, UsageError
from feedback.intake import open_intake
from feedback.settings import Settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", help="Kind of every row, like rating or item; not needed where rows carry `kind`.")
@click.option("--map", "columns", metavar="FIELD=COLUMN,…", help="Which column is which field of the contract.")
@click.option("--scale", metavar="LOW,HIGH", help="Lowest and highest possible value, like 0.5,5.")
@click.option("--set", "constants", metavar="FIELD=VALUE", multiple=True, help="The same value in every row.")
@click.option("--separator", help="What parts cells of a text file; by default its ending decides.")
@click.option("--columns", "names", metavar="NAME,…", help="Column names of a text file without a header.")
@click.option("--list-separator", default="|", show_default=True, help="What parts members of a list in a cell.")
@click.option("--source", default="import", show_default=True, help="What to note as source.")
@home_command
def ingest(
    settings: Settings,
    output: Output,
    file: Path,
    kind: str | None,
    columns: str | None,
    scale: str | None,
    constants: tuple[str, ...],
    separator: str | None,
    names: str | None,
    list_separator: str,
    source: str,
) -> None:
    """Send a CSV, TSV, JSON lines or Parquet file through the gateway's intake.

    Times may be unix seconds, unix milliseconds or ISO; without a zone they are taken as UTC.
    """
    from gateway.columns import ImportPlan
    from gateway.files import import_file

    plan = ImportPlan(
        kind=kind,
        columns=_pairs("--map", columns.split(",") if columns else []),
        scale=_scale(scale),
        constants=_pairs("--set", list(constants)),
        list_separator=list_separator,
        source=source,
        separator=separator.encode().decode("unicode_escape") if separator else None,
        names=tuple(names.split(",")) if names else (),
    )
    refused_to = settings.home_path / "refused" / f"{file.name}.jsonl"
    intake = open_intake(settings)
    try:
        with output.progress(f"ingesting {file.name}") as bar:
            report = import_file(file, plan, intake, refused_to=refused_to, on_rows=bar.to)
    finally:
        intake.log.close()
    output.emit(report)
    counts = report.counts
    rows = "row" if counts.sent == 1 else "rows"
    output.styled(
        "[bold]{:,}[/bold] {} in {:.1f} s: {:,} accepted, {:,} duplicates, {:,} rejected",
        counts.sent, rows, report.seconds, counts.accepted, counts.duplicates, counts.rejected,
    )  # fmt: skip
    rejected = {code: n for code, n in counts.codes.items() if code != "duplicate"}
    if rejected:
        output.table("", ("code", "rows"), sorted(rejected.items()), numbers=1)
        output.say(f"Refused rows and their reasons: {report.refused_file}")
    if counts.accepted:
        output.styled("Next: [bold]heed run[/bold] lands it, checks it, learns from it and publishes.")
    if counts.rejected == counts.sent:
        raise ImportFileError(f"{file}: every row was refused; {report.refused_file} says why")


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"{option} {word!r}: write field=column, like user_id=userId")
        pairs[name.strip()] = value.strip()
    return pairs


def _scale(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scale {text!r}: write the lowest and highest possible value, like 0.5,5") from error
    return low, high
