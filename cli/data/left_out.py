"""`heed left-out`: what landed and learning leaves out, by rule, with examples."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings


@click.command("left-out")
@click.option("--examples", default=3, show_default=True, type=click.IntRange(0, 100), help="Rows shown per rule.")
@home_command
def left_out(settings: Settings, output: Output, examples: int) -> None:
    """Show rows that landed but that learning leaves out: counts by rule, examples with their place in the log."""
    from dagster_project.lib.left_out import left_out_groups
    from lakehouse.lake import open_lake

    found = list(left_out_groups(open_lake(settings), examples=examples))
    for group in found:
        output.emit(group)
    if not found:
        output.say("Nothing is left out of learning.")
        return
    rows = [(group.table, group.rule, group.rows, group.of) for group in found]
    output.table("Left out of learning", ("table", "rule", "rows", "of"), rows, numbers=2)
    for group in found:
        if group.examples:
            output.styled("\n[bold]{}, {}[/bold]: {}", group.table, group.rule, group.meaning)
        for example in group.examples:
            values = ", ".join(f"{name}={value}" for name, value in example.values.items())
            place = f"{example.place} in the log: " if example.place else ""
            output.say(f"  {place}{values}")
