"""docs/tables.md, written from the specs of the tables."""

from __future__ import annotations

from feedback.settings.source import ROOT
from lakehouse.tables.registry import TABLES
from lakehouse.tables.spec import TableSpec

PAGE = ROOT / "docs" / "tables.md"

_INTRO = """# The tables of the lake

Each is a Delta table of this name in the lake. `heed tables` prints the same, with the versions and rows of a home.

**Personal** marks a column whose values, even without the row's subject, may identify a person (a pseudonym, an order,
a visit), describe one (device, place, consent) or hold what one wrote. Statistics in the Delta log never cover a
personal column. **Subject** is the column that names the person a row is about.

A table changes by a declared migration only: its schema version goes up by one, and it gains columns that may be null.

This page is generated from `lakehouse/tables/`.
"""


def tables_page() -> str:
    """The page as Markdown."""
    return "\n".join([_INTRO, _overview(), *(_table(spec) for spec in TABLES.values())])


def _overview() -> str:
    lines = ["| table | a row is | built from | subject |", "|---|---|---|---|"]
    lines += [
        f"| [`{spec.name}`](#{spec.name}) | {spec.grain} | {_names(spec.built_from) or 'the log'} | {_subject(spec)} |"
        for spec in TABLES.values()
    ]
    return "\n".join(lines) + "\n"


def _table(spec: TableSpec) -> str:
    facts = [f"Key: {_names(spec.key)}.", f"Subject: {_subject(spec)}."]
    if spec.partition_by:
        facts.append(f"Partitioned by {_names(spec.partition_by)}.")
    facts.append(f"Schema version {spec.version}.")
    lines = [f"## {spec.name}\n", f"{spec.grain[0].upper()}{spec.grain[1:]}.\n", " ".join(facts) + "\n"]
    lines += ["| column | type | null | personal | meaning |", "|---|---|---|---|---|"]
    for column in spec.columns:
        since = f" (since version {column.added_in})" if column.added_in > 1 else ""
        null, personal = "yes" if column.nullable else "", "yes" if column.personal else ""
        lines.append(f"| `{column.name}` | {column.type} | {null} | {personal} | {column.meaning}{since} |")
    return "\n".join(lines) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _subject(spec: TableSpec) -> str:
    return f"`{spec.subject}`" if spec.subject else "none"
