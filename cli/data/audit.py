"""`heed audit`: prove from the tables that nothing was lost and nothing doubled."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings


@click.command()
@home_command
def audit(settings: Settings, output: Output) -> int:
    """Compare every committed position with the rows in the tables; exit code 1 if they differ."""
    from lakehouse.lake import open_lake
    from lakehouse.landed.audit import audit as audit_tables
    from lakehouse.landed.continuity import open_landed_log

    log = open_landed_log(settings)
    try:
        report = audit_tables(
            open_lake(settings), log.name, bounds=log.bounds(), window_days=settings.landing.dedup_window_days
        )
    finally:
        log.close()
    output.emit(report)
    rows = [(p.partition, p.position, p.log_end, p.landed, p.duplicates, p.quarantined) for p in report.partitions]
    output.table("", ("partition", "position", "log end", "landed", "duplicates", "quarantined"), rows, numbers=5)
    for code, count in report.codes.items():
        output.say(f"  {code}: {count:,}")
    if report.skipped:
        output.styled(
            "  [yellow]{:,} records were no longer in the log[/yellow] and were skipped on demand", report.skipped
        )
    if report.landed_again:
        output.say(f"  landed again: {report.landed_again:,} repeats after the window; each event counts once")
    for fault in report.faults:
        place = f"partition {fault.partition}, offset {fault.offset}" + (
            f", index {fault.index}" if fault.index else ""
        )
        output.styled("[red]{}[/red] at {}: {}", fault.kind, place, fault.detail)
    if report.holds:
        output.styled("[green]The sums agree[/green]: {:,} events, each in exactly one row.", report.accounted)
        return 0
    output.styled("[red]The sums do not agree[/red]: {:,} faults.", report.fault_count)
    return 1
