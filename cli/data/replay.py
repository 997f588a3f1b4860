"""`heed replay`: quarantined rows through landing again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import home_command
from cli.output import Output
from cli.renamed import warn_renamed
from cli.sizes import size_words
from feedback.settings.home import Settings

if TYPE_CHECKING:
    from beam_jobs.replay import ReplayReport


@click.command()
@click.option("--code", required=True, help="Why the rows were refused; `heed quarantine` shows the codes.")
@click.option(
    "--repair", "repair_file", type=click.Path(path_type=Path), help="Python file with `repair(event) -> dict | None`."
)
@click.option("--mend", "mend_file", type=click.Path(path_type=Path), hidden=True)
@click.option("--where", metavar="SQL", help="Only rows for which this holds, like \"source = 'app'\".")
@click.option("--dry-run", is_flag=True, help="Repair and check, show what would go, write nothing.")
@click.option("--no-land", is_flag=True, help="Append to the log only; the next landing takes them.")
@home_command
def replay(
    settings: Settings,
    output: Output,
    code: str,
    repair_file: Path | None,
    mend_file: Path | None,
    where: str | None,
    dry_run: bool,
    no_land: bool,
) -> None:
    """Send quarantined rows through landing again, repaired or as they are; doing it twice changes nothing."""
    from beam_jobs.landing import drain
    from beam_jobs.repair import load_repair
    from beam_jobs.replay import open_replayer, places_frame, refuse_code
    from lakehouse.landed.quarantine import condition, outcomes

    refuse_code(code)
    if where is not None:
        condition(where)
    if mend_file is not None:
        warn_renamed("--mend", "--repair")
        repair_file = repair_file or mend_file
    repair = load_repair(repair_file) if repair_file is not None else None
    replayer = open_replayer(settings)
    try:
        with output.progress("replaying") as bar:
            report = replayer.run(code, repair=repair, where=where, dry_run=dry_run, on_rows=bar.to)
    finally:
        replayer.log.close()
    if report.went_to and not no_land:
        with output.progress("landing"):
            drain(settings)
    found = outcomes(replayer.lake, places_frame(report.went_to)) if report.went_to else {}
    output.emit({**_fields(report), "outcomes": found})
    _show(output, report, found)


def _fields(report: ReplayReport) -> dict[str, object]:
    return {name: getattr(report, name) for name in report.__struct_fields__ if name != "went_to"}


def _show(output: Output, report: ReplayReport, found: Mapping[str, int]) -> None:
    from lakehouse.landed.quarantine import MAX_RAW_BYTES

    verb = "would be replayed" if report.dry_run else "replayed"
    output.styled("[bold]{:,}[/bold] of {:,} rows {}", report.replayed, report.selected, verb)
    if report.resumed:
        output.say(f"  {report.resumed:,} more of an earlier replay that was cut short")
    for outcome, count in found.items():
        output.say(f"  {outcome}: {count:,}")
    apart = {
        "were replayed before": report.already_replayed,
        f"cannot be replayed: their raw line was cut at {size_words(MAX_RAW_BYTES)}": report.cut,
        "cannot be replayed: they stand for a whole record": report.whole_records,
        "cannot be replayed: their raw line was not kept": report.without_raw,
    }
    for words, count in apart.items():
        if count:
            output.say(f"  {count:,} {words}")
    for reason, count in report.left.items():
        output.say(f"  {count:,} left: {reason}")
    if report.dry_run:
        for example in report.examples:
            output.say(f"\n  {example.place}")
            output.styled("  [dim]- {}[/dim]", example.before[:500])
            output.say(f"  + {example.after[:500]}")
