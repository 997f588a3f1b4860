"""How commands speak: tables and progress bars to people, one JSON object per line to programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDEST = 10_000


class Output:
    """One command's voice: rich to people, JSON lines with `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False)

    def emit(self, record: object) -> None:
        """Write one JSON line, with `--json` only."""
        if self.as_json:
            sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
            sys.stdout.flush()

    def say(self, text: str = "") -> None:
        """Write a line to people."""
        if not self.as_json:
            self.console.print(text)

    def verbatim(self, text: str) -> None:
        """Write commands to people who copy them: as they are, however narrow the terminal."""
        if not self.as_json:
            self.console.print(text, soft_wrap=True, markup=False)

    def heading(self, text: str) -> None:
        """Open a section for people."""
        if not self.as_json:
            self.console.print()
            self.console.rule(f"[bold]{text}", align="left", style="dim")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> None:
        """Show rows to people; the last `numbers` columns are aligned to the right."""
        if self.as_json:
            return
        table = Table(title=title or None, title_justify="left", title_style="bold", header_style="dim", box=None)
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index >= len(columns) - numbers else "left")
        for row in rows:
            table.add_row(*(cell(value) for value in row))
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
            TextColumn("{task.description}"),
            BarColumn(),
            _Count(),
            TimeElapsedColumn(),
        )
        hidden = self.as_json or not self.console.is_terminal
        with Progress(*columns, console=self.console, disable=hidden, transient=True) as progress:
            yield ProgressBar(progress, progress.add_task(what, total=total))


class _Count(MofNCompleteColumn):
    """How many of how many, once it is known of how many."""

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
        self._progress.update(self._task, description=text)


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
