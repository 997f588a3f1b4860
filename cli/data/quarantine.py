"""`heed quarantine`: what landing refused, by code and source, with examples."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings


@click.command()
@click.option("--code", help="Only rows of this code.")
@click.option("--examples", default=3, show_default=True, type=click.IntRange(0, 100), help="Rows shown per group.")
@home_command
def quarantine(settings: Settings, output: Output, code: str | None, examples: int) -> None:
    """Show what landing refused: counts by code and source, examples, and how much of it was replayed."""
    from feedback.errors import Code, UsageError
    from lakehouse.lake import open_lake
    from lakehouse.landed.quarantine import groups, is_duplicate

    if code is not None and code not in set(Code):
        raise UsageError(f"--code {code!r} is unknown; the codes are {', '.join(Code)}")
    found = groups(open_lake(settings), code=code, examples=examples)
    for group in found:
        output.emit(group)
    refused = [group for group in found if not is_duplicate(group)]
    repeats = [group for group in found if is_duplicate(group)]
    if not found:
        output.say("Nothing is in quarantine" + (f" under {code}." if code else "."))
    if refused:
        rows = [(g.code, g.source or "-", f"{g.first_on} … {g.last_on}", g.rows, g.replayed) for g in refused]
        output.table("Refused", ("code", "source", "days", "rows", "replayed"), rows, numbers=2)
    for group in refused:
        if group.examples:
            output.styled("\n[bold]{}[/bold] from {}", group.code, group.source or "a source that could not be read")
        for example in group.examples:
            gone = f", went to {example.replayed_to}" if example.replayed_to else ""
            output.say(f"  {example.place} on {example.landed_on}{gone}: {example.detail}")
            if example.raw is not None:
                output.say(f"    {example.raw}", style="dim")
    if repeats:
        repeated = [(g.source or "-", f"{g.first_on} … {g.last_on}", g.rows) for g in repeats]
        output.table("Duplicates (landed before; nothing to do)", ("source", "days", "rows"), repeated, numbers=1)
