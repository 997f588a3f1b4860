"""Recommenders side by side: full ranking on two splits, with parameters chosen inside train.

The choice is made once, on the rows that both splits call train, so that it has seen neither's test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from feedback.errors import LearningError, NotEnoughFeedback
from models.evaluation.metrics import Metrics, Truth, measure
from models.evaluation.splits import GLOBAL_TIME, STRATIFIED, Split, global_time, inner, stratified_by_item
from models.interaction_matrix import InteractionMatrix, ItemIndex
from models.recommenders.als import Als, AlsConfig
from models.recommenders.popularity import DecayedPopularity, Popularity
from models.recommenders.recommender import Model, Recommender

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LIST_LENGTH = 10
SMALL = 10_000
"""Interactions below which a large rank only learns by heart."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One recommender's figures on one split."""

    recommender: str
    split: str
    parameters: Mapping[str, Any]
    metrics: Metrics
    """Over everybody who is judged, as they would be served: strangers get what is popular lately."""
    known: Metrics | None = None
    """Over those of them who have a history in train; None where nobody has."""


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

    def known_of(self, recommender: str) -> dict[str, Metrics]:
        """The same over people who have a history in train."""
        cards = [card for card in self.scorecards if card.recommender == recommender]
        return {card.split: card.known for card in cards if card.known is not None}

    def frame(self) -> pl.DataFrame:
        """One row per recommender, split and metric, in the columns of the `evaluations` table.

        Figures over known people are metrics of their own, named `known_` and the figure.
        """
        rows = [
            (card.recommender, card.split, prefix + metric, found.k, value, found.users, _as_json(card.parameters))
            for card in self.scorecards
            for prefix, found in (("", card.metrics), ("known_", card.known))
            if found is not None
            for metric, value in found.figures().items()
        ]
        schema = {"recommender": pl.String, "split": pl.String, "metric": pl.String, "k": pl.Int32}
        schema |= {"value": pl.Float64, "users": pl.Int32, "parameters": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")


def candidates(interactions: int, *, signed: bool) -> list[AlsConfig]:
    """The parameters to choose among: few, and all sound on sets of this size."""
    if interactions < SMALL:
        return [AlsConfig(signed, rank=8, regularization=value) for value in (0.1, 0.3)]
    pairs = ((0.12, 1.0), (0.16, 1.0), (0.16, 1.5) if signed else (0.2, 2.0))
    return [AlsConfig(signed, regularization=value, alpha=alpha) for value, alpha in pairs]


def evaluate(
    interactions: pl.DataFrame,
    items: ItemIndex,
    *,
    session: Callable[[], SparkSession],
    seed: int,
    k: int = LIST_LENGTH,
    champion: Recommender | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Evaluation:
    """Choose parameters and measure popularity, decayed popularity, unsigned and signed ALS on both splits.

    Args:
        interactions: The interactions frame.
        items: Every item that can be listed.
        session: Gives the Spark session.
        seed: Of splits and fits.
        k: Length of the lists.
        champion: What serves now, fitted afresh on the same splits (as "champion") for a fair comparison.
        progress: Is told each step.

    Raises:
        NotEnoughFeedback: No split can be made.
    """
    splits, missing = make_splits(interactions, seed=seed)
    common = common_train(interactions, splits)
    trials: list[Scorecard] = []
    chosen: dict[str, Recommender] = {"popularity": Popularity(), "decayed_popularity": DecayedPopularity()}
    for signed in (False, True):
        options = [Als(config, session) for config in candidates(interactions.height, signed=signed)]
        progress(f"choosing among {len(options)} settings of {options[0].name}")
        best, tried = choose(options, common, items, seed=seed, k=k)
        chosen[best.name] = best
        trials += tried
    contestants = dict(chosen)
    if champion is not None:
        contestants["champion"] = champion
    scorecards: list[Scorecard] = []
    for split in splits:
        done: list[Scorecard] = []
        for name, recommender in contestants.items():
            progress(f"judging {name} on the {split.name} split")
            done.append(_judged_once(name, recommender, split, items, seed=seed, k=k, done=done))
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
    options: Sequence[Recommender], train: pl.DataFrame, items: ItemIndex, *, seed: int, k: int = LIST_LENGTH
) -> tuple[Recommender, list[Scorecard]]:
    """The option with the highest nDCG on a split of train; the first where train is too small to be split."""
    try:
        split = inner(train, seed=seed)
    except NotEnoughFeedback:
        return options[0], []
    tried = [judge(option, split, items, seed=seed, k=k) for option in options]
    best = max(range(len(options)), key=lambda place: tried[place].metrics.ndcg)
    return options[best], tried


def judge(recommender: Recommender, split: Split, items: ItemIndex, *, seed: int, k: int = LIST_LENGTH) -> Scorecard:
    """Fit on train, list for everybody in test with what train knows of them, measure."""
    model = recommender.fit(split.train, items, seed=seed)
    everybody, known = measure_groups(model, split, k=k)
    return Scorecard(recommender.name, split.name, dict(recommender.parameters), everybody, known)


def measure_model(model: Model, split: Split, *, k: int = LIST_LENGTH) -> Metrics:
    """The figures of a fitted model on the test rows of a split."""
    return measure_groups(model, split, k=k)[0]


def measure_groups(model: Model, split: Split, *, k: int = LIST_LENGTH) -> tuple[Metrics, Metrics | None]:
    """The figures over everybody in test, and over those who have a history in train (None where nobody has).

    The lists are those that serving would give: `Model.recommend_all` lists what is popular for who has no history.
    """
    test = InteractionMatrix.from_frame(split.test, model.items)
    subjects = [subject.decode() for subject in test.subjects.tolist()]
    histories = InteractionMatrix.from_frame(split.train, model.items).take(subjects)
    lists = model.recommend_all(histories, k)
    preference, _ = test.opinions
    truth = Truth(test.indptr, test.items, preference < 0, n_items=len(model.items))
    everybody = measure(lists, truth)
    is_known = np.diff(histories.indptr) > 0
    if not is_known.any():
        return everybody, None
    return everybody, measure(lists[is_known], truth.of_users(is_known))


def recommender_named(name: str, parameters: Mapping[str, Any], *, session: Callable[[], SparkSession]) -> Recommender:
    """The recommender that a bundle's manifest names, to fit it again.

    Raises:
        LearningError: The name or a parameter is not known.
    """
    try:
        if name == "popularity":
            return Popularity()
        if name == "decayed_popularity":
            return DecayedPopularity(**parameters)
        if name in ("signed_als", "unsigned_als"):
            return Als(AlsConfig(**parameters), session)
    except TypeError as error:
        raise LearningError(f"{name}: parameters {dict(parameters)} do not fit: {error}") from error
    known = "popularity, decayed_popularity, unsigned_als, signed_als"
    raise LearningError(f"no recommender is called {name!r}; there are: {known}")


def _judged_once(
    name: str, recommender: Recommender, split: Split, items: ItemIndex, *, seed: int, k: int, done: Sequence[Scorecard]
) -> Scorecard:
    for card in done:
        if card.recommender == recommender.name and card.parameters == dict(recommender.parameters):
            return replace(card, recommender=name)
    return replace(judge(recommender, split, items, seed=seed, k=k), recommender=name)


def _as_json(parameters: Mapping[str, Any]) -> str:
    return msgspec.json.encode(parameters, order="deterministic").decode()
