"""Options that every command shares."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from cli.output import Output
from feedback.settings.home import Settings, ensure_home, load_settings

Command = Callable[..., Any]


def home_command(command: Command) -> Command:
    """Give a command `--home` and `--json`, and hand it the settings and an output."""

    @click.option("--home", metavar="DIR", help="Heed's home folder  [default: HEED_HOME, else ~/.heed]")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for programs.")
    @functools.wraps(command)
    def wrapped(home: str | None, as_json: bool, **arguments: Any) -> Any:  # noqa: ANN401 - as the command takes them
        settings = load_settings(home)
        ensure_home(settings)
        return command(settings, Output(as_json=as_json), **arguments)

    return wrapped


__all__ = ["Settings", "home_command"]
