"""`heed maintain`: small files, checkpoints, old files and logs; once, or again and again beside landing."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING

import click

from cli.options import home_command
from cli.output import Output
from feedback.errors import LakeError, LogError, MaintenanceBusy, ServiceError, UsageError
from feedback.intake import utc_now
from feedback.settings.home import Settings

if TYPE_CHECKING:
    from lakehouse.maintenance.run import MaintenanceReport

OWNER = "`heed maintain`"


@click.command()
@click.option("--every", type=float, metavar="SECONDS", help="Do so again and again, until Ctrl-C or SIGTERM.")
@home_command
def maintain(settings: Settings, output: Output, every: float | None) -> int:
    """Keep the tables fast and small: compact, cluster, write checkpoints, remove what no reader holds."""
    if every is not None and every <= 0:
        raise UsageError(f"heed maintain --every {every:g}: seconds between two passes, more than 0")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    maintenance = Maintenance(settings, stop)
    if every is None:
        report = maintenance.run_pass(utc_now())
        show(output, report)
        return 1 if report.problems else 0
    from lakehouse.maintenance.run import holding_service

    with holding_service(settings):
        output.say(f"maintenance of {settings.lake.uri} every {every:g} s; Ctrl-C stops")
        while not stop.is_set():
            try:
                show(output, maintenance.run_pass(utc_now()))
            except MaintenanceBusy as error:  # Dagster's asset or another command is at it: its pass counts as well
                output.say(str(error))
            except (
                LakeError,
                LogError,
                ServiceError,
            ) as error:  # it may have passed by the next pass; landing goes on meanwhile
                click.echo(f"heed maintain: {error}", err=True)
            stop.wait(every)
    output.say("stopped")
    return 0


class Maintenance:
    """The passes of one process; listing whole folders is due in only some of them."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._vacuumed: datetime | None = None
        self._trimmed: datetime | None = None

    def run_pass(self, now: datetime) -> MaintenanceReport:
        """One pass, and what else is due by then."""
        from lakehouse.maintenance.plan import TRIM_EVERY, VACUUM_EVERY, due
        from lakehouse.maintenance.run import run_maintenance
        from models.bundle.store import BundleStore
        from online.trimming import trim_stores

        vacuum = due(self._vacuumed, VACUUM_EVERY, now)
        report = run_maintenance(self._settings, vacuum=vacuum, owner=OWNER, stopped=self._stop.is_set)
        self._vacuumed = now if vacuum else self._vacuumed
        if due(self._trimmed, TRIM_EVERY, now) and not self._stop.is_set():
            learned = BundleStore(self._settings.paths.bundles).learned_positions()
            trim_stores(self._settings, now=now, learned=learned)
            self._trimmed = now
        return report


def show(output: Output, report: MaintenanceReport) -> None:
    """One pass to people and programs."""
    output.emit(report)
    rows = [
        (
            table.table,
            f"{table.files_before:,} → {table.files_after:,}",
            f"{table.bytes_after / 1e6:,.1f}",
            table.replaced_removed,
            table.orphans_removed,
            table.commits_removed,
        )
        for table in report.tables
    ]
    columns = ("table", "files", "MB", "replaced files removed", "orphans removed", "log entries removed")
    output.table("", columns, rows, numbers=5)
    output.say(f"{report.seconds:.1f} s, at most {report.peak_bytes / 1e6:,.0f} of {report.cap_bytes / 1e6:,.0f} MB")
    for problem in report.problems:
        output.styled("[yellow]left for later[/yellow]: {}", problem)
