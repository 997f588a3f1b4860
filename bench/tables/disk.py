"""What the loop leaves on disk, run after run: flat once retention takes effect.

A small set of ratings is learned from again and again, with a few new ones each time. The home is measured after each
run, without what holds the events themselves (log, online store, `feedback`, `quarantine`, `signals`).
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bench.figures import Figure, below, reported
from feedback.errors import ServiceError
from feedback.intake import open_intake
from feedback.settings.home import Settings, load_settings

OPTIONS = (
    click.Option(["--runs"], type=click.IntRange(4), default=40, show_default=True, help="Runs of the loop."),
    click.Option(["--kept"], type=click.IntRange(2), default=10, show_default=True, help="Runs that are kept of each."),
    click.Option(["--ratings"], type=click.IntRange(500), default=2_000, show_default=True, help="In the first run."),
)

START = datetime(2026, 1, 1, tzinfo=UTC)
RATINGS_A_PERSON = 20
FITS_A_RUN = 6
"""Runs that one loop records in MLflow, at most."""
SETTLES_AFTER = 2
"""Runs after retention takes effect: the run that prunes is not over then, and freed pages wait for the next."""
EVENTS = ("feedback-log.db", "online.db", "lake/feedback", "lake/quarantine", "lake/signals")
"""What holds the events themselves, and grows with them."""
MEGABYTE = 1e6


def run(report: Callable[[str], None], *, runs: int, kept: int, ratings: int) -> Iterator[Figure]:
    """Every figure, after the last run."""
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        settings = load_settings(
            Path(folder) / "home",
            registered_models_kept=kept,
            mlflow_runs_kept=max(20, kept * FITS_A_RUN),
            dagster_runs_kept=kept,
            table_versions_kept=kept,
            bundles_kept=min(kept, 5),
        )
        send(settings, people=ratings // RATINGS_A_PERSON, first=0)
        sizes: list[Counter[str]] = []
        for number in range(runs):
            send(settings, people=1, first=1_000_000 + number)
            learn(settings)
            sizes.append(measure(settings.paths.home))
            report(f"run {number + 1}: {sizes[-1].total() / MEGABYTE:.1f} MB")
    yield from figures(sizes, kept=kept)


def figures(sizes: list[Counter[str]], *, kept: int) -> Iterator[Figure]:
    """What one run adds, where that stops, and what is there at the end, in all and by folder.

    Args:
        sizes: Bytes by folder after each run.
        kept: Runs that are kept.
    """
    before = sizes[min(kept, len(sizes)) - 1]
    added = {name: (before[name] - sizes[0][name]) / (min(kept, len(sizes)) - 1) for name in before}
    for name, share in sorted(added.items(), key=lambda pair: -pair[1]):
        yield reported(f"a run adds, {name}", share / MEGABYTE, unit="MB")
    yield reported("a run adds, in all", sum(added.values()) / MEGABYTE, unit="MB")
    for number, size in enumerate(sizes, start=1):
        yield reported(f"after run {number}", size.total() / MEGABYTE, unit="MB")
    settled = kept + SETTLES_AFTER
    if settled >= len(sizes):
        return
    bitten, last = sizes[settled - 1], sizes[-1]
    for name in sorted(last):
        yield reported(f"after run {len(sizes)}, {name}", last[name] / MEGABYTE, unit="MB")
    yield below(f"after run {len(sizes)} over after run {settled}", last.total() / bitten.total(), 1.05)


def measure(home: Path) -> Counter[str]:
    """Bytes on disk by folder, without what holds the events."""
    found: Counter[str] = Counter()
    for path in home.rglob("*"):
        name = path.relative_to(home).as_posix()
        if path.is_file() and not name.startswith(EVENTS):
            found[folder_of(name)] += path.stat().st_blocks * 512
    return found


def folder_of(name: str) -> str:
    """Under which heading a file counts: tables one by one, everything else by the home's own folders and files."""
    first, *rest = name.split("/")
    return f"{first}/{rest[0]}" if first == "lake" and len(rest) > 1 else first


def send(settings: Settings, *, people: int, first: int) -> None:
    """Ratings of so many people, with one of two tastes each, through the intake."""
    with_log = open_intake(settings)
    with_log.submit(event for person in range(first, first + people) for event in ratings_of(person))
    with_log.log.close()


def ratings_of(person: int) -> Iterator[dict[str, Any]]:
    """What one person rates: mostly items of their own taste, which they like."""
    chosen = random.Random(person)
    for item in chosen.sample(range(200), RATINGS_A_PERSON):
        liked = item % 2 == person % 2
        yield {
            "id": f"{person}-{item}",
            "kind": "rating",
            "user_id": f"person-{person}",
            "item_id": f"item-{item}",
            "value": 5 if liked else 1,
            "scale": [1, 5],
            "occurred_at": (START + timedelta(minutes=chosen.randrange(50_000))).isoformat(),
        }


def learn(settings: Settings) -> None:
    """One run of the loop.

    Raises:
        ServiceError: It failed.
    """
    from dagster_project.run import run_loop

    summary = run_loop(settings)
    if not summary.success:
        raise ServiceError(f"a run of the loop failed: {'; '.join(summary.failures)}")
