"""Split interactions into train and test.

`stratified_by_item` is Microsoft Recommenders' `python_stratified_split` filtered by item: comparable with
published figures. `global_time` is what serving meets: learn from the past, be judged on what came after.
Parameters are chosen on `inner`, a split of train alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback.errors import NotEnoughFeedback

TRAIN_SHARE = 0.75
INNER_SHARE = 0.9
"""The inner train keeps nine tenths: with less, sparser data asks for more regularisation than the whole train."""
STRATIFIED, GLOBAL_TIME = "stratified", "global_time"


@dataclass(frozen=True, slots=True)
class Split:
    """Train and test rows of one interactions frame, and the name of the split."""

    name: str
    train: pl.DataFrame
    test: pl.DataFrame

    def __post_init__(self) -> None:
        if self.train.is_empty() or self.test.is_empty():
            raise NotEnoughFeedback(
                f"split {self.name}: {self.train.height} rows to learn from and {self.test.height} to judge by; "
                "both need at least one"
            )


def stratified_by_item(interactions: pl.DataFrame, *, seed: int, share: float = TRAIN_SHARE) -> Split:
    """The first `round(share * n)` of each item's rows, in the order of one uniform number per row, are train.

    Args:
        interactions: In file order: the numbers are drawn row by row, so that order is part of the split.
        seed: Of numpy's `RandomState`, the generator of the published split.
        share: Of each item's rows that are train.
    """
    draw = np.random.RandomState(seed).uniform(size=interactions.height)
    rank = pl.col("draw").rank("ordinal").over("item_id")
    kept = pl.Series(np.round(share * np.arange(_largest_count(interactions) + 1)).astype(np.int64))
    marked = interactions.with_columns(draw=pl.Series(draw)).with_columns(
        is_train=rank <= pl.len().over("item_id").replace_strict(np.arange(len(kept)), kept)
    )
    return _parted(marked, STRATIFIED)


def global_time(interactions: pl.DataFrame, *, share: float = TRAIN_SHARE) -> Split:
    """What happened up to one moment is train, what came after is test; rows of that very moment are train.

    `last_at` is the moment of an interaction: one that was touched again after the cut belongs to test.
    """
    if interactions.is_empty():
        return _parted(interactions.with_columns(is_train=pl.lit(value=True)), GLOBAL_TIME)
    cut = interactions["last_at"].sort()[max(round(share * interactions.height) - 1, 0)]
    return _parted(interactions.with_columns(is_train=pl.col("last_at") <= cut), GLOBAL_TIME)


def inner(train: pl.DataFrame, *, seed: int) -> Split:
    """A split of train alone, to choose parameters on."""
    return stratified_by_item(train, seed=seed, share=INNER_SHARE)


def _largest_count(interactions: pl.DataFrame) -> int:
    return 0 if interactions.is_empty() else int(interactions["item_id"].value_counts()["count"].max())  # type: ignore[arg-type]


def _parted(marked: pl.DataFrame, name: str) -> Split:
    is_train = marked["is_train"]
    rows = marked.select(pl.exclude("is_train", "draw"))
    return Split(name, train=rows.filter(is_train), test=rows.filter(~is_train))
