"""The figures that the learning part promises, measured on film ratings as published figures are.

The split is Microsoft Recommenders' for MovieLens 100k: 75 % of each item's ratings, in file order, seed 42. All
parameters are chosen inside its train rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.evaluation.comparison import candidates, choose, judge, measure_model
from models.evaluation.metrics import Metrics
from models.evaluation.splits import Split, stratified_by_item
from models.interaction_matrix import ItemIndex
from models.preferences import build_interactions
from models.recommenders.als import Als
from models.recommenders.popularity import Popularity

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPLIT_SEED = 42
KEPT_OUT_GROUPS = 20
"""One person in twenty is new since the last fit; each group is kept out once, so that everybody is judged."""
RETRAINS = 3
"""Full fits that the fold-in is compared with: two seeds alone differ by half a percent."""


@dataclass(frozen=True, slots=True)
class Figure:
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
) -> list[Figure]:
    """Every figure of the learning part on the film ratings, in file order."""
    items = ItemIndex.of(interactions)
    split = stratified_by_item(interactions, seed=SPLIT_SEED)
    progress("popularity, which proves the evaluator")
    popular = judge(Popularity(), split, items, seed=seed).metrics
    progress("unsigned ALS")
    unsigned = _chosen(split, items, session=session, seed=seed, signed=False)
    plain = judge(unsigned, split, items, seed=seed).metrics
    progress("signed ALS and its unsigned twin")
    signed = _chosen(split, items, session=session, seed=seed, signed=True)
    minding = judge(signed, split, items, seed=seed).metrics
    twin_of = Als(replace(signed.config, signed=False), session)
    twin = plain if twin_of.config == unsigned.config else judge(twin_of, split, items, seed=seed).metrics
    progress("fold-in of people kept out of training")
    kept = fold_in_share(signed, split, items, seed=seed)
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


def fold_in_share(recommender: Als, split: Split, items: ItemIndex, *, seed: int) -> float:
    """The nDCG of people kept out of training and folded in, as a share of what full retrains give them."""
    subjects = split.train["subject"].unique().sort().to_list()
    order = np.random.default_rng(seed).permutation(len(subjects))
    gained, judged = 0.0, 0
    for group in range(KEPT_OUT_GROUPS):
        kept_out = pl.col("subject").is_in([subjects[place] for place in order[group::KEPT_OUT_GROUPS]])
        theirs = split.test.filter(kept_out)
        if theirs.is_empty():
            continue
        model = recommender.fit(split.train.filter(~kept_out), items, seed=seed + group)
        metrics = measure_model(model, Split("kept_out", train=split.train.filter(kept_out), test=theirs))
        gained += metrics.ndcg * metrics.users
        judged += metrics.users
    full = [
        measure_model(recommender.fit(split.train, items, seed=seed + again), split).ndcg for again in range(RETRAINS)
    ]
    return gained / judged / float(np.mean(full))


def _chosen(split: Split, items: ItemIndex, *, session: Callable[[], SparkSession], seed: int, signed: bool) -> Als:
    options = [Als(config, session) for config in candidates(split.train.height, signed=signed)]
    best, _ = choose(options, split.train, items, seed=seed)
    return next(option for option in options if option is best)


def _spared(signed: Metrics, unsigned: Metrics) -> float:
    return 1.0 - signed.disliked / unsigned.disliked


def _about(figure: str, value: float, bar: float) -> Figure:
    return Figure(figure, value, "", bar, holds=abs(value - bar) <= 0.0005)


def _at_least(figure: str, value: float, bar: float, *, unit: str = "") -> Figure:
    return Figure(figure, value, unit, bar, holds=value >= bar)
