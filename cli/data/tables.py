"""`heed tables`: every table of the lake, what its columns mean, and which of them are about a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings

if TYPE_CHECKING:
    from lakehouse.table_state import TableState
    from lakehouse.tables.spec import TableSpec


@click.command()
@click.argument("names", metavar="[TABLE]...", nargs=-1)
@home_command
def tables(settings: Settings, output: Output, names: tuple[str, ...]) -> None:
    """Show the tables of the lake: rows, versions, keys, and what each column means.

    "Personal" marks the columns whose values may identify or describe a person or hold what one wrote; "subject" is
    the column that names the person a row is about.
    """
    from feedback.errors import UsageError
    from lakehouse.lake import open_lake
    from lakehouse.table_state import table_state
    from lakehouse.tables.registry import TABLES

    if unknown := sorted(set(names) - set(TABLES)):
        raise UsageError(f"there is no table {', '.join(unknown)}; the tables are {', '.join(TABLES)}")
    lake = open_lake(settings)
    shown = {spec: table_state(lake, spec) for name, spec in TABLES.items() if not names or name in names}
    for spec, state in shown.items():
        output.emit(_record(spec, state))
    overview = [
        (s.name, ", ".join(s.key), s.subject or "-", s.version, _shown(state, "version"), _shown(state, "rows"))
        for s, state in shown.items()
    ]
    output.table("", ("table", "key", "subject", "schema", "version", "rows"), overview, numbers=3)
    for spec in shown:
        output.styled("\n[bold]{}[/bold]: {}", spec.name, spec.grain)
        rows = [(c.name, str(c.type), "personal" if c.personal else "", c.meaning) for c in spec.columns]
        output.table("", ("column", "type", "personal", "meaning"), rows)


def _shown(state: TableState | None, field: str) -> object:
    value = None if state is None else getattr(state, field)
    return "-" if value is None else value


def _record(spec: TableSpec, state: TableState | None) -> dict[str, Any]:
    """A table as JSON: `version`, `rows`, `files` and `bytes` are null before its first write."""
    return {
        "table": spec.name,
        "grain": spec.grain,
        "schema_version": spec.version,
        "version": state and state.version,
        "rows": state and state.rows,
        "files": state and state.files,
        "bytes": state and state.bytes,
        "key": spec.key,
        "partition_by": spec.partition_by,
        "subject": spec.subject,
        "built_from": spec.built_from,
        "columns": [
            {
                "name": column.name,
                "type": str(column.type),
                "meaning": column.meaning,
                "nullable": column.nullable,
                "personal": column.personal,
                "added_in": column.added_in,
            }
            for column in spec.columns
        ],
    }
