"""Metadata of assets, under the names that Dagster's pages know, in one form for all tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_project.lib.handover import TableVersion
from dagster_project.lib.starting import positions_text
from lakehouse.tables.spec import TableSpec


def table_metadata(spec: TableSpec, built: TableVersion, *, uri: str) -> dict[str, Any]:
    """Rows, version, place and columns of a table version, and the versions that it was built from."""
    return {
        "dagster/row_count": built.rows,
        "dagster/table_name": spec.name,
        "dagster/uri": uri,
        "dagster/column_schema": column_schema(spec),
        "table_version": built.version,
        "feedback_version": built.feedback_version,
        "positions": positions_text(built.positions),
        "built_from": dict(built.sources),
    }


def column_schema(spec: TableSpec) -> dg.TableSchema:
    """The columns of a table as its spec declares them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.type),
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in spec.columns
        ]
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table; numbers stand to the right."""
    right = [all(isinstance(row[place], int | float) for row in rows) and bool(rows) for place in range(len(header))]
    lines = [
        "| " + " | ".join(header) + " |",
        "| " + " | ".join("---:" if is_right else ":---" for is_right in right) + " |",
    ]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def counts_table(title: str, counts: Mapping[str, int]) -> str:
    """Counts by name as a Markdown table, the largest first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return markdown_table([title, "events"], [[name, number] for name, number in ordered])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")
