"""`heed land`: move the feedback log into Delta, up to its end or for ever."""

from __future__ import annotations

import signal
import threading

import click

from cli.options import home_command
from cli.output import Output
from feedback.errors import UsageError
from feedback.log.tracing import set_up_tracing
from feedback.process.logs import set_up_logs
from feedback.settings.home import Settings, override_settings


@click.command()
@click.option("--drain", is_flag=True, help="Land what the log holds now, and return.")
@click.option("--stream", is_flag=True, help="Land events as they come, until Ctrl-C or SIGTERM.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="With --stream: serve /metrics for Prometheus.")
@click.option("--skip-gap", is_flag=True, help="Go on behind what the log no longer holds; it is written down.")
@click.option("--runner", metavar="NAME", help="Beam's runner, instead of the setting beam_runner.")
@click.option(
    "--beam-option", "options", multiple=True, metavar="--NAME=VALUE",
    help="An option for Beam, as --beam-option=--job_endpoint=HOST:PORT; may be given again. With --runner or this, "
    "the setting beam_options does not count.",
)  # fmt: skip
@home_command
def land(
    settings: Settings,
    output: Output,
    drain: bool,
    stream: bool,
    skip_gap: bool,
    metrics_port: int | None,
    runner: str | None,
    options: tuple[str, ...],
) -> None:
    """Land the feedback log in Delta, exactly once."""
    if drain == stream:
        raise UsageError("heed land: choose one of --drain and --stream")
    if runner is not None or options:
        settings = override_settings(settings, beam_runner=runner or settings.beam.runner, beam_options=list(options))
    if skip_gap:
        _skip_gaps(settings, output)
    if drain:
        _drain(settings, output)
    else:
        _stream(settings, output, metrics_port)


def _drain(settings: Settings, output: Output) -> None:
    from beam_jobs import landing

    with output.progress("landing") as bar:
        report = landing.drain(settings, on_progress=bar.to)
    output.emit(report)
    output.styled(
        "[bold]{:,}[/bold] events in {:.1f} s after {:.1f} s of start-up: "
        "{:,} landed, {:,} duplicates, {:,} quarantined",
        report.events, report.seconds, report.startup_seconds,
        report.landed, report.duplicates, report.quarantined,
    )  # fmt: skip
    if report.found:
        found = (f"{count:,} {name.replace(':', ' ')}" for name, count in report.found.items())
        output.styled("found on the way: {}", ", ".join(found))


def _stream(settings: Settings, output: Output, metrics_port: int | None) -> None:
    from beam_jobs import landing

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    set_up_logs()
    set_up_tracing("heed-landing")
    if metrics_port is not None:
        _serve_metrics(settings, metrics_port)
    output.say(f"landing {settings.log.url} in {settings.lake.uri}; Ctrl-C stops")
    landing.stream(settings, stop)
    output.say("stopped")


def _skip_gaps(settings: Settings, output: Output) -> None:
    from feedback.intake import utc_now
    from lakehouse.landed.continuity import skip_gaps

    for gap in skip_gaps(settings, at=utc_now()):
        place = "" if gap.partition is None else f"partition {gap.partition}: "
        output.emit({"skipped": place + gap.words})
        output.styled("[yellow]skipped[/yellow] {}{}", place, gap.words)


def _serve_metrics(settings: Settings, port: int) -> None:
    from prometheus_client import start_http_server

    from server.process import refuse_taken_port

    refuse_taken_port("landing's /metrics", settings.http.host, port, setting="landing_metrics_port")
    start_http_server(port, addr=settings.http.host)
