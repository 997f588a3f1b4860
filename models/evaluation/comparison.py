"""Recommenders side by side: full ranking on two splits, with parameters chosen inside train.

The choice is made once, on the rows that both splits call train, so that it has seen neither's test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import polars as pl

from feedback.errors import NotEnoughFeedback
from models.evaluation.metrics import Metrics
from models.evaluation.populations import Judged, Population, judge_populations, prefix_of
from models.evaluation.splits import GLOBAL_TIME, STRATIFIED, Split, global_time, inner, stratified_by_item
from models.recommenders.recommender import Model, Recommender
from models.recommenders.registry import compared_recommenders
from models.recommenders.training_data import TrainingData

LIST_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One recommender's figures on one split."""

    recommender: str
    split: str
    parameters: Mapping[str, Any]
    populations: Mapping[Population, Judged]
    """Figures by population, as they would be served; `Population.ALL` is always there."""

    @property
    def metrics(self) -> Metrics:
        """Over everybody who is judged."""
        return self.populations[Population.ALL].metrics

    @property
    def known(self) -> Metrics | None:
        """Over those who have a history in train; None where nobody has."""
        return self.of(Population.KNOWN)

    def of(self, population: Population) -> Metrics | None:
        """Over one population; None where nobody of it is judged."""
        found = self.populations.get(population)
        return None if found is None else found.metrics


@dataclass(frozen=True)
class Evaluation:
    """What was measured, what was chosen, and which splits could not be made."""

    scorecards: list[Scorecard]
    trials: list[Scorecard]
    """The candidates on the inner split that the choice was made on."""
    chosen: dict[str, Recommender]
    missing: dict[str, str] = field(default_factory=dict)
    """Splits that the data does not allow, and why."""

    def of(self, recommender: str) -> dict[str, Metrics]:
        """A recommender's metrics by split."""
        return {card.split: card.metrics for card in self.scorecards if card.recommender == recommender}

    def populations_of(self, recommender: str) -> dict[str, Mapping[Population, Metrics]]:
        """The same by population."""
        return populations_of(self.scorecards, recommender)

    def frame(self) -> pl.DataFrame:
        """One row per recommender, split and metric, in the columns of the `evaluations` table.

        Figures over one population are metrics of their own, named by it and the figure, such as `known_ndcg`.
        """
        rows = [
            (card.recommender, card.split, prefix_of(population) + metric, found.metrics.k, value, found.metrics.users,
             _as_json(card.parameters))
            for card in self.scorecards
            for population, found in card.populations.items()
            for metric, value in found.metrics.figures().items()
        ]  # fmt: skip
        schema = {"recommender": pl.String, "split": pl.String, "metric": pl.String, "k": pl.Int32}
        schema |= {"value": pl.Float64, "users": pl.Int32, "parameters": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")


def evaluate(
    data: TrainingData,
    *,
    k: int = LIST_LENGTH,
    champion: Recommender | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Choose parameters of every compared recommender of the registry and measure it on both splits.

    Args:
        data: All interactions, every item that can be listed, the seed of splits and fits.
        k: Length of the lists.
        champion: What serves now, fitted afresh on the same splits (as "champion") for a fair comparison.
        progress: Is told each step.

    Raises:
        NotEnoughFeedback: No split can be made.
    """
    splits, missing = make_splits(data.interactions, seed=data.seed)
    common = data.part(common_train(data.interactions, splits))
    trials: list[Scorecard] = []
    chosen: dict[str, Recommender] = {}
    for compared in compared_recommenders():
        options = compared.options(data)
        if len(options) > 1:
            progress(f"choosing among {len(options)} settings of {compared.name}")
        chosen[compared.name], tried = choose(options, common, k=k)
        trials += tried
    contestants = dict(chosen)
    if champion is not None:
        contestants["champion"] = champion
    scorecards: list[Scorecard] = []
    for split in splits:
        done: list[Scorecard] = []
        for name, recommender in contestants.items():
            progress(f"judging {name} on the {split.name} split")
            done.append(_judged_once(name, recommender, split, data, k=k, done=done))
        scorecards += done
    return Evaluation(scorecards, trials, chosen, missing)


def make_splits(interactions: pl.DataFrame, *, seed: int) -> tuple[list[Split], dict[str, str]]:
    """Both splits, and for one that the data does not allow (one moment, one row per item) the reason.

    Raises:
        NotEnoughFeedback: Neither can be made.
    """
    makers: dict[str, Callable[[], Split]] = {
        STRATIFIED: lambda: stratified_by_item(interactions, seed=seed),
        GLOBAL_TIME: lambda: global_time(interactions),
    }
    splits: list[Split] = []
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            splits.append(make())
        except NotEnoughFeedback as error:
            missing[name] = str(error)
    if not splits:
        raise NotEnoughFeedback(f"nothing can be evaluated: {'; '.join(missing.values())}")
    return splits, missing


def common_train(interactions: pl.DataFrame, splits: Sequence[Split]) -> pl.DataFrame:
    """The rows that every split calls train, in their order."""
    rows = interactions
    for split in splits:
        rows = rows.join(split.train.select("subject", "item_id"), on=["subject", "item_id"], how="semi")
    return rows


def choose(
    options: Sequence[Recommender], train: TrainingData, *, k: int = LIST_LENGTH
) -> tuple[Recommender, list[Scorecard]]:
    """The option with the highest nDCG on a split of train; the first where train is too small to be split."""
    if len(options) == 1:
        return options[0], []
    try:
        split = inner(train.interactions, seed=train.seed)
    except NotEnoughFeedback:
        return options[0], []
    tried = [judge(option, split, train, k=k) for option in options]
    best = max(range(len(options)), key=lambda place: tried[place].metrics.ndcg)
    return options[best], tried


def judge(recommender: Recommender, split: Split, data: TrainingData, *, k: int = LIST_LENGTH) -> Scorecard:
    """Fit on train, list for everybody in test with what train knows of them, measure.

    Args:
        recommender: What to fit.
        split: Rows to learn from and to judge by.
        data: Items, seed and Spark session of the fit; its interactions are not looked at.
        k: Length of the lists.
    """
    model = recommender.fit(data.part(split.train))
    return Scorecard(recommender.name, split.name, dict(recommender.parameters), judge_populations(model, split, k=k))


def measure_model(model: Model, split: Split, *, k: int = LIST_LENGTH) -> Metrics:
    """The figures of a fitted model on the test rows of a split."""
    return judge_populations(model, split, k=k)[Population.ALL].metrics


def populations_of(scorecards: Iterable[Scorecard], recommender: str) -> dict[str, Mapping[Population, Metrics]]:
    """A recommender's metrics by split and population."""
    return {
        card.split: {population: found.metrics for population, found in card.populations.items()}
        for card in scorecards
        if card.recommender == recommender
    }


def _judged_once(
    name: str, recommender: Recommender, split: Split, data: TrainingData, *, k: int, done: Sequence[Scorecard]
) -> Scorecard:
    for card in done:
        if card.recommender == recommender.name and card.parameters == dict(recommender.parameters):
            return replace(card, recommender=name)
    return replace(judge(recommender, split, data, k=k), recommender=name)


def _as_json(parameters: Mapping[str, Any]) -> str:
    return msgspec.json.encode(parameters, order="deterministic").decode()
