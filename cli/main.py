"""The command line. Each command imports what it needs when it runs, so that `heed --help` is quick."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from feedback.errors import HeedError

COMMANDS: dict[str, str] = {
    "demo": "cli.demo:demo",
    "up": "cli.up:up",
    "ingest": "cli.ingest:ingest",
    "land": "cli.land:land",
    "run": "cli.run:run",
    "recommend": "cli.recommend:recommend",
    "evaluate": "cli.evaluate:evaluate",
    "audit": "cli.audit:audit",
    "quarantine": "cli.quarantine:quarantine",
    "replay": "cli.replay:replay",
    "signals": "cli.signals:signals",
    "maintain": "cli.maintain:maintain",
    "rollback": "cli.rollback:rollback",
    "keys": "cli.keys:keys",
    "serve": "cli.serve:serve",
    "bench": "cli.bench:bench",
    "test": "cli.develop:test",
    "check": "cli.develop:check",
}


class Commands(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="heed")
def heed() -> None:
    """Turn what customers say into what they see next."""


def main() -> NoReturn:
    """Run a command; an error that a person can act on is one line, never a traceback."""
    try:
        code = heed.main(prog_name="heed", standalone_mode=False)
    except HeedError as error:
        click.echo(f"heed: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        click.echo("heed: stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of a pipe had enough
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
