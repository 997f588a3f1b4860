"""`heed test` and `heed check`: what a developer and CI run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from cli.development.locks import DEVELOPMENT, PRODUCT, lock_faults
from cli.development.tree import circle, imports_of, read_sources, shape_faults
from feedback.errors import ServiceError
from feedback.settings.source import ROOT

PACKAGES = (
    "feedback", "lakehouse", "online", "text", "beam_jobs", "expectations", "models", "web", "dagster_project",
    "gateway", "serving", "server", "cli", "bench",
)  # fmt: skip


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run every test; further arguments go to pytest."""
    _need_tools()
    workers = [] if "-n" in arguments else ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *workers, *arguments]
    raise SystemExit(subprocess.run(command, cwd=ROOT, check=False).returncode)


@click.command()
def check() -> None:
    """Format, lint, types, import arrows, shape of the tree, Dagster definitions, locks: everything but the tests."""
    _need_tools()
    steps: dict[str, list[str]] = {
        "format": ["ruff", "format", "--check", "."],
        "lint": ["ruff", "check", "."],
        "types": ["mypy"],
        "import arrows": ["lint-imports", "--no-cache"],
        "Dagster definitions": ["dg", "check", "defs"],
    }
    failed = [name for name, command in steps.items() if not _passes(name, command)]
    if not _tree_is_in_shape():
        failed.append("tree")
    if not _locks_are_current():
        failed.append("locks")
    if failed:
        click.echo(f"heed check: failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)
    click.echo("heed check: all passed")


def _need_tools() -> None:
    if importlib.util.find_spec("pytest") is None:
        raise ServiceError("the test tools are not installed; `./heed test` and `./heed check` add them on first use")


def _passes(name: str, command: list[str]) -> bool:
    click.echo(f"── {name}: {' '.join(command[:3])}")
    tool = Path(sys.executable).parent / command[0]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HEED_HOME": home}
        return subprocess.run([str(tool), *command[1:]], cwd=ROOT, env=environment, check=False).returncode == 0


def _tree_is_in_shape() -> bool:
    click.echo("── tree: lengths of functions and files, files per folder, import circles")
    faults = shape_faults(read_sources(ROOT, (*PACKAGES, "tests")))
    circular = circle(imports_of(PACKAGES))
    for fault in [*faults, *([f"import circle: {' -> '.join(circular)}"] if circular else [])]:
        click.echo(fault, err=True)
    return not faults and not circular


def _locks_are_current() -> bool:
    click.echo(f"── locks: {PRODUCT} and {DEVELOPMENT} against pyproject.toml")
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", PRODUCT, DEVELOPMENT))
    faults = lock_faults(*texts)
    for fault in faults:
        click.echo(fault, err=True)
    return not faults
