"""`heed rollback`: serve an earlier bundle again."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings import Settings


@click.command()
@click.argument("version", required=False)
@home_command
def rollback(settings: Settings, output: Output, version: str | None) -> None:
    """Point serving at the bundle before the current one, or at VERSION; one atomic step."""
    from models.bundle_store import BundleStore

    store = BundleStore(settings.bundles)
    before = store.current_version()
    now = store.rollback(version)
    output.emit({"from": before, "to": now, "versions": store.versions()})
    output.styled("serving [bold]{}[/bold] again (was {})", now, before)
