"""The command line. Each command imports what it needs when it runs, so that `heed --help` is quick."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from cli.plain_text import printable
from cli.renamed import FORMER_COMMANDS, current_name
from feedback.errors import HeedError

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports of programs that SIGINT or SIGPIPE ended."""

COMMANDS: dict[str, str] = {
    "demo": "cli.demo.demo:demo",
    "up": "cli.services.up:up",
    "ingest": "cli.data.ingest:ingest",
    "land": "cli.data.land:land",
    "run": "cli.learning.run:run",
    "recommend": "cli.learning.recommend:recommend",
    "evaluate": "cli.learning.evaluate:evaluate",
    "audit": "cli.data.audit:audit",
    "left-out": "cli.data.left_out:left_out",
    "quarantine": "cli.data.quarantine:quarantine",
    "replay": "cli.data.replay:replay",
    "tables": "cli.data.tables:tables",
    "windows": "cli.data.windows:windows",
    "maintain": "cli.data.maintain:maintain",
    "rollback": "cli.learning.rollback:rollback",
    "keys": "cli.services.keys:keys",
    "serve": "cli.services.serve:serve",
    "bench": "cli.development.bench:bench",
    "test": "cli.development.develop:test",
    "check": "cli.development.develop:check",
}


class _ReaderGone(Exception):
    """Raised when the reader of a pipe has closed it."""


class _FileEnds(Exception):
    """Raised when a file that a command reads is cut off."""


@contextmanager
def _ends_of_our_own() -> Iterator[None]:
    """Hide EOF and closed pipes from click, which takes them for Ctrl-D and for a failure."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGone from error
    except EOFError as error:
        raise _FileEnds(str(error) or "no more data") from error


class Commands(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        place = COMMANDS.get(current_name(cmd_name, FORMER_COMMANDS, "heed"))
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - as click has them
        """Read the arguments, and print help where they ask for it."""
        with _ends_of_our_own():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what the command returns
        """Run the command."""
        with _ends_of_our_own():
            return super().invoke(ctx)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="heed")
def heed() -> None:
    """Turn what customers say into what they see next."""


def main() -> NoReturn:
    """Run a command; an error that a person can act on is one line, never a traceback."""
    _prepare_children()
    _prepare_streams()
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has closed it
        _forget_output()
        code = BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _forget_output()
        code = _fail("the output cannot be written: no space left on its device", 1)
    sys.exit(code)


def _run() -> int:
    """The command's exit code."""
    try:
        code = heed.main(prog_name="heed", standalone_mode=False)
    except HeedError as error:
        return _fail(str(error), error.exit_code)
    except _ReaderGone:
        _forget_output()
        return BROKEN_PIPE
    except _FileEnds as error:
        return _fail(f"a file ends before its content does: {error}", 1)
    except click.exceptions.Abort:
        return _fail("stopped", INTERRUPTED)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo(printable(told.getvalue()), err=True, nl=False)
        return error.exit_code
    return code if isinstance(code, int) else 0


def _fail(words: str, code: int) -> int:
    click.echo(f"heed: {printable(words)}", err=True)
    return code


def _prepare_children() -> None:
    """Let child processes import Heed's packages, and nothing from their current directory."""
    root = str(Path(__file__).resolve().parent.parent)
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [root, *(folder for folder in others if Path(folder).is_absolute() and folder != root)]
    os.environ.update(PYTHONSAFEPATH="1", PYTHONPATH=os.pathsep.join(kept))


def _prepare_streams() -> None:
    """Replace closed streams by the null device; escape characters that the encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Send buffered output to the null device: Python would try to write it at exit, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
