"""`heed bench NAME`: measure one set of claims, figure by figure."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from cli.output import Output
from feedback.errors import UsageError

FOLDER = Path(__file__).resolve().parent.parent / "bench"
NOT_BENCHES = frozenset({"__init__", "figures", "load"})


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for programs.")
def bench(name: str, as_json: bool) -> int:
    """Run a benchmark and print each figure with its bar; exit code 1 where one does not hold."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_BENCHES)
    if name not in known:
        raise UsageError(f"heed bench {name}: there is no such benchmark; there are: {', '.join(known)}")
    output = Output(as_json=as_json)
    figures = []
    with output.progress(name) as bar:
        for figure in importlib.import_module(f"bench.{name}").run(bar.label):
            output.emit(figure)
            figures.append(figure)
    rows = [(f.figure, f.value, f.unit, f.bar, f.holds) for f in figures]
    output.table("", ("figure", "value", "unit", "bar", "holds"), rows)
    return 0 if all(figure.holds for figure in figures) else 1
