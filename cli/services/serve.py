"""`heed serve`: gateway and serving in one process, as `heed up` runs them."""

from __future__ import annotations

import click

from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings, override_settings


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@home_command
def serve(settings: Settings, output: Output, host: str | None, port: int | None) -> None:
    """Run the HTTP API (gateway and recommendations) alone."""

    from server.process import run_server

    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    run_server(override_settings(settings, **changes))
