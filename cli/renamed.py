"""Names that commands, options and benchmarks had before: they go on working, and each use warns on stderr."""

from __future__ import annotations

from collections.abc import Mapping

import click

FORMER_COMMANDS = {"signals": "windows"}
FORMER_BENCHMARKS = {"signals": "windows", "upkeep": "maintenance"}


def warn_renamed(old: str, new: str) -> None:
    """Tell people which name to use from now on."""
    click.echo(f"heed: warning: {old} is called {new} now; the old name still works", err=True)


def current_name(name: str, former: Mapping[str, str], prefix: str) -> str:
    """The name in use today; warns where `name` is a former one."""
    new = former.get(name)
    if new is None:
        return name
    warn_renamed(f"{prefix} {name}", f"{prefix} {new}")
    return new
