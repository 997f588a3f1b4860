"""`heed bench NAME`: measure one set of claims, figure by figure.

A benchmark is a module in a folder of `bench/` with a function `run(report, **options)` that yields figures, and,
where it has options of its own, a tuple `OPTIONS` of `click.Option`. Its name is the module's.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from cli.output import Output
from cli.renamed import FORMER_BENCHMARKS, current_name
from feedback.errors import UsageError
from feedback.settings.source import ROOT

FOLDER = ROOT / "bench"


class Benches(click.Group):
    """Benchmarks by name; a module is imported only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in order."""
        return sorted(_modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """One benchmark as a command.

        Raises:
            UsageError: There is none of that name.
        """
        modules = _modules()
        cmd_name = current_name(cmd_name, FORMER_BENCHMARKS, "heed bench")
        if cmd_name not in modules:
            raise UsageError(
                f"heed bench {cmd_name}: there is no such benchmark; there are: {', '.join(sorted(modules))}"
            )
        module = importlib.import_module(modules[cmd_name])
        as_json = click.Option(["--json", "as_json"], is_flag=True, help="One JSON object per line, for programs.")

        def measure(as_json: bool, **options: Any) -> int:  # noqa: ANN401 - each benchmark has its own
            output = Output(as_json=as_json)
            figures = []
            with output.progress(cmd_name) as bar:
                for figure in module.run(bar.label, **options):
                    output.emit(figure)
                    figures.append(figure)
            rows = [(f.figure, f.value, f.unit, f.bar, f.holds) for f in figures]
            output.table("", ("figure", "value", "unit", "bar", "holds"), rows)
            return 0 if all(figure.holds for figure in figures) else 1

        parameters = [*getattr(module, "OPTIONS", ()), as_json]
        return click.Command(cmd_name, params=parameters, callback=measure, help=module.__doc__)


def _modules() -> dict[str, str]:
    """Each benchmark's module, by the benchmark's name."""
    return {
        path.stem: f"bench.{path.parent.name}.{path.stem}"
        for path in FOLDER.glob("*/*.py")
        if "\ndef run(" in path.read_text(encoding="utf-8")
    }


@click.command(cls=Benches)
def bench() -> None:
    """Run a benchmark and print each figure with its bar; exit code 1 where one does not hold."""
