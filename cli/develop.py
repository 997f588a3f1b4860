"""`heed test` and `heed check`: what a developer and CI run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "feedback",
    "lakehouse",
    "beam_jobs",
    "expectations",
    "models",
    "dagster_project",
    "gateway",
    "serving",
    "cli",
    "bench",
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run every test; further arguments go to pytest."""
    workers = [] if "-n" in arguments else ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *workers, *arguments]
    raise SystemExit(subprocess.run(command, cwd=ROOT, check=False).returncode)


@click.command()
def check() -> None:
    """Format, lint, types, import arrows, Dagster definitions, lock: everything but the tests."""
    steps: dict[str, list[str]] = {
        "format": ["ruff", "format", "--check", "."],
        "lint": ["ruff", "check", "."],
        "types": ["mypy", *(word for package in PACKAGES for word in ("-p", package))],
        "import arrows": ["lint-imports", "--no-cache"],
        "Dagster definitions": ["dg", "check", "defs"],
    }
    failed = [name for name, command in steps.items() if not _passes(name, command)]
    if not _lock_is_current():
        failed.append("lock")
    if failed:
        click.echo(f"heed check: failed: {', '.join(failed)}", err=True)
        raise SystemExit(1)
    click.echo("heed check: all passed")


def _passes(name: str, command: list[str]) -> bool:
    click.echo(f"── {name}: {' '.join(command[:3])}")
    tool = Path(sys.executable).parent / command[0]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HEED_HOME": home}
        return subprocess.run([str(tool), *command[1:]], cwd=ROOT, env=environment, check=False).returncode == 0


def _lock_is_current() -> bool:
    """Every direct dependency of pyproject.toml is in the lock, at a version that it allows."""
    import tomllib

    from packaging.requirements import Requirement

    click.echo("── lock: requirements.lock against pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = dict(line.split(" ")[0].split(";")[0].split("==", 1) for line in lines if "==" in line.split(" ")[0])
    current = True
    for text in wanted:
        requirement = Requirement(text)
        version = locked.get(requirement.name.lower())
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            click.echo(f"requirements.lock holds {requirement.name} {version}, pyproject.toml wants {text}", err=True)
            current = False
    return current
