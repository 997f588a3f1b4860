"""Names that commands, options and benchmarks had before: they go on working, and each use warns on stderr."""

from __future__ import annotations

import click


def warn_renamed(old: str, new: str) -> None:
    """Tell people which name to use from now on."""
    click.echo(f"heed: warning: {old} is called {new} now; the old name still works", err=True)
