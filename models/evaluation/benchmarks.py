"""The figures that the learning part promises, measured on film ratings as published figures are.

The split is Microsoft Recommenders' for MovieLens 100k: 75 % of each item's ratings, in file order, seed 42. All
parameters are chosen inside its train rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.evaluation.comparison import choose, judge, measure_model
from models.evaluation.metrics import Metrics
from models.evaluation.splits import Split, stratified_by_item
from models.interaction_matrix import ItemIndex
from models.preferences import build_interactions
from models.recommenders.als import SignedAls, UnsignedAls
from models.recommenders.popularity import Popularity
from models.recommenders.recommender import Recommender
from models.recommenders.training_data import TrainingData

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPLIT_SEED = 42
KEPT_OUT_GROUPS = 20
"""One person in twenty is new since the last fit; each group is kept out once, so that everybody is judged."""
RETRAINS = 3
"""Full fits that the fold-in is compared with: two seeds alone differ by half a percent."""


@dataclass(frozen=True, slots=True)
class LearningFigure:
    """One measured figure and its bar."""

    figure: str
    value: float
    unit: str
    bar: float
    holds: bool


def rated_interactions(ratings: pl.DataFrame, *, scale: tuple[float, float]) -> pl.DataFrame:
    """The interactions of a file of ratings, in its order, as the published split needs them.

    Args:
        ratings: subject, item_id, value, occurred_at; one row per (subject, item).
        scale: Lowest and highest possible value.
    """
    order = pl.int_range(pl.len(), dtype=pl.Int64)
    events = ratings.lazy().with_columns(
        kind=pl.lit("rating"), scale_min=pl.lit(scale[0]), scale_max=pl.lit(scale[1]),
        label=pl.lit(None, dtype=pl.String), log_partition=pl.lit(0), log_offset=order, log_index=pl.lit(0),
    )  # fmt: skip
    keys = ratings.select(pl.col("subject").cast(pl.String), pl.col("item_id").cast(pl.String))
    return keys.join(build_interactions(events), on=["subject", "item_id"], how="inner", maintain_order="left")


def learning_figures(
    interactions: pl.DataFrame,
    *,
    session: Callable[[], SparkSession],
    seed: int,
    progress: Callable[[str], None] = lambda step: None,
) -> list[LearningFigure]:
    """Every figure of the learning part on the film ratings, in file order."""
    split = stratified_by_item(interactions, seed=SPLIT_SEED)
    train = TrainingData.of(split.train, ItemIndex.of(interactions), seed=seed, session=session)
    progress("popularity, which proves the evaluator")
    popular = judge(Popularity(), split, train).metrics
    progress("unsigned ALS")
    unsigned, _ = choose(UnsignedAls.options(train), train)
    plain = judge(unsigned, split, train).metrics
    progress("signed ALS and its unsigned twin")
    signed, _ = choose(SignedAls.options(train), train)
    minding = judge(signed, split, train).metrics
    twin_of = UnsignedAls(**{**signed.parameters, "signed": False})  # type: ignore[arg-type]
    twin = plain if twin_of == unsigned else judge(twin_of, split, train).metrics
    progress("fold-in of people kept out of training")
    kept = fold_in_share(signed, split, train)
    return [
        _about("popularity nDCG@10", popular.ndcg, 0.252),
        _about("popularity precision@10", popular.precision, 0.2285),
        _about("popularity MAP@10", popular.map, 0.056),
        _at_least("unsigned ALS nDCG@10", plain.ndcg, 0.485),
        _at_least("unsigned ALS precision@10", plain.precision, 0.422),
        _at_least("unsigned ALS MAP@10", plain.map, 0.150),
        _at_least("signed ALS nDCG@10", minding.ndcg, 0.472),
        _at_least("signed ALS disliked@10 below its unsigned twin", _spared(minding, twin), 0.25, unit="share"),
        _at_least("fold-in nDCG@10 of a full retrain", kept, 0.99, unit="share"),
    ]


def fold_in_share(recommender: Recommender, split: Split, train: TrainingData) -> float:
    """The nDCG of people kept out of training and folded in, as a share of what full retrains give them."""
    subjects = split.train["subject"].unique().sort().to_list()
    order = np.random.default_rng(train.seed).permutation(len(subjects))
    gained, judged = 0.0, 0
    for group in range(KEPT_OUT_GROUPS):
        kept_out = pl.col("subject").is_in([subjects[place] for place in order[group::KEPT_OUT_GROUPS]])
        theirs = split.test.filter(kept_out)
        if theirs.is_empty():
            continue
        model = recommender.fit(train.part(split.train.filter(~kept_out), seed=train.seed + group))
        metrics = measure_model(model, Split("kept_out", train=split.train.filter(kept_out), test=theirs))
        gained += metrics.ndcg * metrics.users
        judged += metrics.users
    seeds = range(train.seed, train.seed + RETRAINS)
    full = [measure_model(recommender.fit(train.part(split.train, seed=seed)), split).ndcg for seed in seeds]
    return gained / judged / float(np.mean(full))


def _spared(signed: Metrics, unsigned: Metrics) -> float:
    return 1.0 - signed.disliked / unsigned.disliked


def _about(figure: str, value: float, bar: float) -> LearningFigure:
    return LearningFigure(figure, value, "", bar, holds=abs(value - bar) <= 0.0005)


def _at_least(figure: str, value: float, bar: float, *, unit: str = "") -> LearningFigure:
    return LearningFigure(figure, value, unit, bar, holds=value >= bar)
