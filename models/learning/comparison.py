"""One comparison of the recommenders, as the steps of the loop hand it on, and the gate's judgement of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.evaluation.comparison import Evaluation, Scorecard, populations_of
from models.evaluation.gate import GateResult, KnownPeople, decide
from models.evaluation.metrics import Metrics
from models.evaluation.populations import Population
from models.recommenders.registry import CHALLENGER, STOPGAP

CHAMPION = "champion"
"""What evaluation calls the recommender that serves, fitted afresh beside the others."""


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

    def populations_of(self, recommender: str) -> dict[str, Mapping[Population, Metrics]]:
        """The same by population."""
        return populations_of(self.scorecards, recommender)

    def known_people(self) -> dict[str, KnownPeople]:
        """By split, what the challenger and decayed popularity are worth to people who have a history in train."""
        mine, popular = self.populations_of(CHALLENGER), self.populations_of(STOPGAP)
        both = [
            split for split in mine if Population.KNOWN in mine[split] and Population.KNOWN in popular.get(split, {})
        ]
        return {split: KnownPeople(mine[split][Population.KNOWN], popular[split][Population.KNOWN]) for split in both}

    @property
    def recommenders(self) -> tuple[str, ...]:
        """Who was compared, in the order of the evaluation."""
        return tuple(dict.fromkeys(card.recommender for card in self.scorecards))

    @property
    def splits(self) -> tuple[str, ...]:
        """On which splits."""
        return tuple(dict.fromkeys(card.split for card in self.scorecards))


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


def judge_challenger(comparison: Comparison) -> GateResult:
    """Whether the challenger may serve: compared with decayed popularity and with what serves now."""
    return decide(
        comparison.of(CHALLENGER),
        comparison.of(STOPGAP),
        champion=comparison.of(CHAMPION) or None,
        known=comparison.known_people(),
        serving=comparison.serving,
        missing=comparison.missing,
    )
