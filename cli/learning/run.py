"""`heed run`: the loop's Dagster job, headless: land, check, learn, judge, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.learning.populations import POPULATIONS
from cli.options import home_command
from cli.output import Output
from feedback.settings.home import Settings
from lakehouse.subject_key import verify_subject_key

if TYPE_CHECKING:
    from dagster_project.lib.summary import LoopSummary, ModelSummary, StepEvent

METRICS = ("ndcg", "precision", "recall", "map", "coverage", "disliked")


@click.command()
@home_command
def run(settings: Settings, output: Output) -> int:
    """Land what was ingested, check it, learn from it, judge the result and publish it."""
    verify_subject_key(settings)
    summary = run_and_show(settings, output)
    output.emit(summary)
    return 0 if summary.success else 1


def run_and_show(settings: Settings, output: Output) -> LoopSummary:
    """Run the loop with progress, then tell how it went."""
    from dagster_project.run import run_loop

    with output.progress("starting the loop") as bar:

        def on_event(event: StepEvent) -> None:
            bar.label(f"{event.title}: {event.detail}" if event.detail and event.state == "started" else event.title)
            bar.to(event.number - (event.state == "started"), total=event.steps)

        summary = run_loop(settings, on_event=on_event)
    show_summary(summary, output)
    return summary


def show_summary(summary: LoopSummary, output: Output) -> None:
    """Checks, models side by side, the gate, what was published, the time of each step."""
    if summary.checks:
        output.heading("Checks")
        failed = summary.failed_checks
        output.say(f"{len(summary.checks) - len(failed)} of {len(summary.checks)} checks hold")
        rows = [(c.severity, c.asset, c.name, c.observed) for c in failed]
        if rows:
            output.table("", ("severity", "table", "check", "found"), rows)
        for table, rules in summary.left_out.items():
            counts = ", ".join(f"{rule} {count:,}" for rule, count in rules.items())
            output.say(f"left out of learning in {table}: {counts}; `heed left-out` shows them")
    show_models(summary, output)
    if summary.gate is not None:
        output.heading("Gate")
        approved, held = summary.gate.approved, summary.gate.hold is not None
        words = ("passed" if approved else "refused") + (" but not published: a rollback holds" if held else "")
        output.say(words, style="" if approved and not held else "yellow")
        for reason in summary.gate.reasons:
            output.say(f"  {reason}")
    output.heading("Steps")
    output.table(
        "", ("step", "", "seconds"), [(s.title, s.state, f"{s.seconds:.1f}") for s in summary.steps], numbers=1
    )
    for failure in summary.failures:
        output.styled("[red]failed[/red] {}", failure)
    if summary.published_version:
        output.styled(
            "published [bold]{}[/bold] in {:.0f} s; run {}",
            summary.published_version, summary.seconds, summary.run_id[:8],
        )  # fmt: skip
    else:
        output.say(f"nothing new was published; run {summary.run_id[:8]}")


def show_models(summary: LoopSummary, output: Output) -> None:
    """The recommenders' figures, one table per split; an arrow marks the one that went to the gate.

    Below it the same population by population, where it is not everybody.
    """
    for split in dict.fromkeys(model.split for model in summary.models):
        mine = [model for model in summary.models if model.split == split]
        names = [name for name in METRICS if any(name in model.metrics for model in mine)]
        output.heading(f"Recommenders, {split} split, top {mine[0].k}, {mine[0].users:,} people")
        output.table("", ("recommender", *names), [_figures(m, m.metrics, names) for m in mine], numbers=len(names))
        for population, words in POPULATIONS.items():
            judged = [(m, m.populations[population]) for m in mine if population in m.populations]
            if judged and judged[0][1].lists != mine[0].users:
                output.say(words.format(lists=judged[0][1].lists))
                rows = [_figures(m, found.metrics, names) for m, found in judged]
                output.table("", ("recommender", *names), rows, numbers=len(names))


def _figures(model: ModelSummary, metrics: dict[str, float], names: list[str]) -> tuple[str | float | None, ...]:
    return (("→ " if model.chosen else "  ") + model.recommender, *(metrics.get(name) for name in names))
