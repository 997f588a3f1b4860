"""`heed land`: move the feedback log into Delta, up to its end or for ever."""

from __future__ import annotations

import signal
import threading

import click
from msgspec.structs import replace

from cli.options import home_command
from cli.output import Output
from feedback.errors import UsageError
from feedback.settings import Settings


@click.command()
@click.option("--drain", is_flag=True, help="Land what the log holds now, and return.")
@click.option("--stream", is_flag=True, help="Land events as they come, until Ctrl-C or SIGTERM.")
@click.option("--runner", metavar="NAME", help="Beam's runner, instead of the setting beam_runner.")
@click.option(
    "--beam-option", "options", multiple=True, metavar="--NAME=VALUE",
    help="An option for Beam, as --beam-option=--job_endpoint=HOST:PORT; may be given again. With --runner or this, "
    "the setting beam_options does not count.",
)  # fmt: skip
@home_command
def land(
    settings: Settings, output: Output, drain: bool, stream: bool, runner: str | None, options: tuple[str, ...]
) -> None:
    """Land the feedback log in Delta, exactly once."""
    if drain == stream:
        raise UsageError("heed land: choose one of --drain and --stream")
    if runner is not None or options:
        settings = replace(settings, beam_runner=runner or settings.beam_runner, beam_options=list(options))
    from beam_jobs import landing

    if drain:
        with output.progress("landing") as bar:
            report = landing.drain(settings, on_progress=bar.to)
        output.emit(report)
        output.say(
            f"[bold]{report.events:,}[/bold] events in {report.seconds:.1f} s after {report.startup_seconds:.1f} s of "
            f"start-up: {report.landed:,} landed, {report.duplicates:,} duplicates, {report.quarantined:,} quarantined"
        )
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    output.say(f"landing {settings.log_address} in {settings.lake_root}; Ctrl-C stops")
    landing.stream(settings, stop)
    output.say("stopped")
