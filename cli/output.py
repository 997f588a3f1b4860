"""Output of commands: tables and progress bars for people, one JSON object per line for programs.

Names, titles and ids come from outside: they are printed as they are, never read as markup. Only `styled` takes
markup, in a template apart from its values.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.plain_text import one_line, printable
from cli.styled_text import styled_text

WIDEST = 10_000


class Output:
    """The output of one command: rich for people, JSON lines with `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _Console(stderr=as_json, highlight=False, emoji=False)

    def emit(self, record: object) -> None:
        """Write one JSON line, with `--json` only."""
        if self.as_json:
            sys.stdout.buffer.write(json_line(record))
            sys.stdout.flush()

    def say(self, text: str = "", *, style: str = "") -> None:
        """Write a line to people, as it is."""
        if not self.as_json:
            self.console.print(Text(printable(text), style=style))

    def styled(self, template: str, *values: object) -> None:
        """Write a line to people: markup in the template, `{}` for each value, which may hold anything."""
        if not self.as_json:
            self.console.print(styled_text(template, *values))

    def verbatim(self, text: str) -> None:
        """Write commands to people who copy them: as they are, however narrow the terminal."""
        if not self.as_json:
            self.console.print(Text(printable(text)), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Open a section for people."""
        if not self.as_json:
            self.console.print()
            self.console.rule(Text(one_line(text), style="bold"), align="left", style="dim")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> None:
        """Show rows to people; the last `numbers` columns are aligned to the right."""
        if self.as_json:
            return
        if title:
            self.console.print(Text(one_line(title), style="bold"))
        table = Table(header_style="dim", box=None)
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index >= len(columns) - numbers else "left")
        for row in rows:
            table.add_row(*(Text(one_line(cell(value))) for value in row))
        # A terminal's table has its width; what goes into a file or another program is never cut.
        self.console.print(table, width=None if self.console.is_terminal else self._width_of(table))

    def _width_of(self, table: Table) -> int:
        wanted = Measurement.get(self.console, self.console.options.update(max_width=WIDEST), table).maximum
        return max(wanted, self.console.width)

    @contextmanager
    def progress(self, what: str, total: float | None = None) -> Iterator[ProgressBar]:
        """A progress bar on the terminal; silent with `--json`."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Count(),
            TimeElapsedColumn(),
        )
        hidden = self.as_json or not self.console.is_terminal
        with Progress(*columns, console=self.console, disable=hidden, transient=True) as progress:
            yield ProgressBar(progress, progress.add_task(one_line(what), total=total))


class _Console(Console):
    """A console that leaves a closed pipe to `cli.main`, which ends with the exit code of SIGPIPE."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


class _Count(MofNCompleteColumn):
    """The column "n of total", once the total is known."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text(f"{task.completed:,.0f}" if task.completed else "")


class ProgressBar:
    """One bar of a running command."""

    def __init__(self, progress: Progress, task: Any) -> None:  # noqa: ANN401 - rich's TaskID is an int
        self._progress = progress
        self._task = task

    def to(self, completed: float, *, total: float | None = None) -> None:
        """Move the bar to a place."""
        self._progress.update(self._task, completed=completed, total=total)

    def label(self, text: str) -> None:
        """Say what is being done."""
        self._progress.update(self._task, description=one_line(text))


def json_line(record: object) -> bytes:
    """One JSON line; a file name that is no UTF-8 comes as Python's surrogates, escaped."""
    try:
        return msgspec.json.encode(record) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record), separators=(",", ":")).encode() + b"\n"


def cell(value: object) -> str:
    """One value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)
