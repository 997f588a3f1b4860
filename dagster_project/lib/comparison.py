"""What the evaluation hands on: figures and chosen parameters as plain data, and how pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagster_project.lib.metadata import markdown_table
from models.evaluation.gate import KnownPeople
from models.evaluation.metrics import Metrics
from models.recommenders.registry import CHALLENGER, STOPGAP

if TYPE_CHECKING:
    from models.evaluation.comparison import Evaluation, Scorecard
    from models.evaluation.gate import Decision
    from models.recommenders.recommender import Model

CHAMPION = "champion"
METRICS = ("ndcg", "disliked", "precision", "map", "coverage", "recall")


@dataclass(frozen=True)
class Comparison:
    """One evaluation: every recommender's figures, the chosen parameters, and what could not be measured."""

    evaluation_id: str
    scorecards: tuple[Scorecard, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    """By recommender, as chosen inside train; empty where there was too little feedback to choose."""
    missing: Mapping[str, str] = field(default_factory=dict)
    mlflow_runs: Mapping[str, str] = field(default_factory=dict)
    serving: str | None = None
    """The recommender that served while this was measured."""

    def of(self, recommender: str) -> dict[str, Metrics]:
        """A recommender's metrics by split."""
        return {card.split: card.metrics for card in self.scorecards if card.recommender == recommender}

    def known_of(self, recommender: str) -> dict[str, Metrics]:
        """The same over people who have a history in train."""
        cards = [card for card in self.scorecards if card.recommender == recommender]
        return {card.split: card.known for card in cards if card.known is not None}

    def known_people(self) -> dict[str, KnownPeople]:
        """By split, what the challenger and decayed popularity are worth to people who have a history in train."""
        mine, popular = self.known_of(CHALLENGER), self.known_of(STOPGAP)
        return {split: KnownPeople(mine[split], popular[split]) for split in mine if split in popular}

    @property
    def recommenders(self) -> tuple[str, ...]:
        """Who was compared, in the order of the evaluation."""
        return tuple(dict.fromkeys(card.recommender for card in self.scorecards))

    @property
    def splits(self) -> tuple[str, ...]:
        """On which splits."""
        return tuple(dict.fromkeys(card.split for card in self.scorecards))


@dataclass(frozen=True)
class Challenger:
    """The fitted challenger: learned from everything, registered, not yet let in."""

    name: str
    parameters: Mapping[str, Any]
    model: Model
    mlflow_run_id: str
    mlflow_model_version: str


@dataclass(frozen=True)
class Verdict:
    """The gate's decision, and on whom."""

    decision: Decision
    challenger: str
    champion: str | None


def build_comparison(
    evaluation: Evaluation, *, evaluation_id: str, mlflow_runs: Mapping[str, str], serving: str | None
) -> Comparison:
    """The evaluation as plain data, without the Spark session that its recommenders hold."""
    return Comparison(
        evaluation_id=evaluation_id,
        scorecards=tuple(evaluation.scorecards),
        parameters={name: dict(recommender.parameters) for name, recommender in evaluation.chosen.items()},
        missing=dict(evaluation.missing),
        mlflow_runs=dict(mlflow_runs),
        serving=serving,
    )


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
            "parameters": dict(card.parameters),
            "mlflow_run_id": comparison.mlflow_runs.get(card.recommender),
            "chosen": card.recommender == CHALLENGER,
        }
        for card in comparison.scorecards
    ]


def challenger_figures(comparison: Comparison) -> dict[str, float]:
    """The challenger's main figures by split, each a line in the pages' plots over time."""
    return {
        f"{split}_{metric}": metrics.figures()[metric]
        for split, metrics in comparison.of(CHALLENGER).items()
        for metric in ("ndcg", "disliked")
    }


def figures_table(comparison: Comparison, *, split: str) -> str:
    """The recommenders side by side on one split; below, over known people alone where strangers were judged too."""
    cards = [card for card in comparison.scorecards if card.split == split]
    rows = [[card.recommender, *_row(card.metrics)] for card in cards]
    rows += [
        [f"{card.recommender}, {card.known.users} known people", *_row(card.known)]
        for card in cards
        if card.known is not None and card.known.users < card.metrics.users
    ]
    return markdown_table(["recommender", *METRICS], rows)


def _row(metrics: Metrics) -> list[float]:
    return [float(metrics.figures()[metric]) for metric in METRICS]


def parameters_table(comparison: Comparison) -> str:
    """What was chosen inside train."""
    rows = [
        [name, ", ".join(f"{key} {value}" for key, value in parameters.items()) or "none"]
        for name, parameters in comparison.parameters.items()
    ]
    return markdown_table(["recommender", "parameters"], rows)


def rulings_table(decision: Decision) -> str:
    """Every rule of the gate with its figure and its bound."""
    rows = [
        ["✓" if ruling.holds else "✗", ruling.rule, ruling.split, f"{ruling.value:.4g}", f"{ruling.bound:.4g}"]
        for ruling in decision.rulings
    ]
    return markdown_table(["", "rule", "split", "figure", "bound"], rows)
