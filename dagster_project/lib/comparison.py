"""A comparison on Dagster's pages: figures as JSON and as tables, and what the gate said of them."""

from __future__ import annotations

from typing import Any

from dagster_project.lib.metadata import markdown_table
from dagster_project.lib.summary import GateSummary
from models.evaluation.comparison import Scorecard
from models.evaluation.gate import GateOutcome, GateResult
from models.evaluation.intervals import mean_interval
from models.evaluation.populations import Judged, Population
from models.learning.comparison import Comparison
from models.recommenders.registry import CHALLENGER

INTERVAL_SEED = 0
METRICS = ("ndcg", "disliked", "precision", "map", "coverage", "recall")


def figures(comparison: Comparison) -> list[dict[str, Any]]:
    """The figures as JSON, one record per recommender and split (`summary.ModelSummary`)."""
    return [
        {
            "recommender": card.recommender,
            "split": card.split,
            "k": card.metrics.k,
            "users": card.metrics.users,
            "metrics": dict(card.metrics.figures()),
            "known_users": 0 if card.known is None else card.known.users,
            "known": {} if card.known is None else dict(card.known.figures()),
            "populations": {
                population.value: {"lists": len(found.ndcg), "metrics": dict(found.metrics.figures()),
                                   "ndcg_interval": _interval(found)}
                for population, found in card.populations.items()
            },
            "parameters": dict(card.parameters),
            "mlflow_run_id": comparison.mlflow_runs.get(card.recommender),
            "chosen": card.recommender == CHALLENGER,
        }
        for card in comparison.scorecards
    ]  # fmt: skip


def _interval(found: Judged) -> list[float]:
    interval = mean_interval(found.ndcg, seed=INTERVAL_SEED)
    return [interval.low, interval.high]


def challenger_figures(comparison: Comparison) -> dict[str, float]:
    """The challenger's main figures by split, each a line in the pages' plots over time."""
    return {
        f"{split}_{metric}": metrics.figures()[metric]
        for split, metrics in comparison.of(CHALLENGER).items()
        for metric in ("ndcg", "disliked")
    }


def figures_table(comparison: Comparison, *, split: str) -> str:
    """The recommenders side by side on one split, then population by population; nDCG with its 95 % interval."""
    cards = [card for card in comparison.scorecards if card.split == split]
    rows = [
        [card.recommender, f"{population.value} ({len(found.ndcg)})", *_row(found)]
        for population in Population
        for card in cards
        if (found := card.populations.get(population)) is not None and _is_told(card, population)
    ]
    return markdown_table(["recommender", "people (lists)", "nDCG, 95 %", *METRICS], rows)


def _is_told(card: Scorecard, population: Population) -> bool:
    """Where everybody is known, the row of all people says it."""
    found = card.populations[population]
    return population is Population.ALL or len(found.ndcg) != len(card.populations[Population.ALL].ndcg)


def _row(found: Judged) -> list[str | float]:
    interval = mean_interval(found.ndcg, seed=INTERVAL_SEED)
    figures = found.metrics.figures()
    return [f"{interval.low:.3f} to {interval.high:.3f}", *(float(figures[metric]) for metric in METRICS)]


def parameters_table(comparison: Comparison) -> str:
    """What was chosen inside train."""
    rows = [
        [name, ", ".join(f"{key} {value}" for key, value in parameters.items()) or "none"]
        for name, parameters in comparison.parameters.items()
    ]
    return markdown_table(["recommender", "parameters"], rows)


def rulings_table(result: GateResult) -> str:
    """Every rule of the gate with its figure and its bound."""
    rows = [
        ["✓" if ruling.holds else "✗", ruling.rule, ruling.split, f"{ruling.value:.4g}", f"{ruling.bound:.4g}"]
        for ruling in result.rulings
    ]
    return markdown_table(["", "rule", "split", "figure", "bound"], rows)


def gate_summary(result: GateResult, *, serving: str | None, hold: str | None) -> GateSummary:
    """What the gate says; while a rollback holds, what serves is kept whatever it says.

    Args:
        result: The judgement.
        serving: The recommender that serves now.
        hold: Why a rollback keeps everything back, if one holds.
    """
    return GateSummary(
        approved=result.passed,
        action=(GateOutcome.KEEP if hold else result.outcome).value,
        reasons=[*result.reasons, *([hold] if hold else [])],
        hold=hold,
        challenger=CHALLENGER,
        champion=serving,
    )


def decision_line(result: GateResult, *, hold: str | None) -> str:
    """The judgement in a few words, for the top of a page."""
    said = "passed" if result.passed else f"refused: {result.outcome.value}"
    return said + (", not published: a rollback holds" if hold else "")
