"""Splits of interactions into train and test."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from feedback.errors import NotEnoughFeedback
from models.evaluation.splits import global_time, inner, stratified_by_item
from tests.models.frames import START, tastes


def frame(items: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "subject": [f"u{place}" for place in range(len(items))],
            "item_id": items,
            "last_at": [START + timedelta(days=place) for place in range(len(items))],
        }
    )


def test_the_stratified_split_is_the_published_one() -> None:
    items = ["a"] * 5 + ["b"] * 3 + ["a"] * 2 + ["c"]
    draw = np.random.RandomState(42).uniform(size=len(items))
    expected = set()
    for item in set(items):
        places = sorted((place for place, name in enumerate(items) if name == item), key=lambda place: draw[place])
        expected |= {f"u{place}" for place in places[: round(0.75 * len(places))]}

    split = stratified_by_item(frame(items), seed=42)

    assert set(split.train["subject"]) == expected
    assert split.train.height + split.test.height == len(items)
    assert split.train.columns == ["subject", "item_id", "last_at"]


def test_rows_keep_their_order_and_a_seed_gives_the_same_split() -> None:
    interactions = tastes()

    first, again, other = (stratified_by_item(interactions, seed=seed) for seed in (1, 1, 2))

    assert first.train.equals(again.train)
    assert not first.train.equals(other.train)
    assert first.test["subject"].is_sorted()


def test_the_time_split_learns_from_the_past_only() -> None:
    split = global_time(frame(["a", "b"] * 10))

    assert (split.train.height, split.test.height) == (15, 5)
    assert split.train["last_at"].max() < split.test["last_at"].min()  # type: ignore[operator]


def test_the_inner_split_stays_inside_train() -> None:
    train = stratified_by_item(tastes(), seed=1).train

    split = inner(train, seed=1)

    assert split.train.height + split.test.height == train.height
    assert split.test.join(train, on=["subject", "item_id"], how="anti").is_empty()


@pytest.mark.parametrize(
    "interactions",
    [frame([]), frame(["a"]), frame(["a", "b"]).with_columns(last_at=pl.lit(START))],
    ids=["empty", "one row", "one moment"],
)
def test_what_cannot_be_split_is_refused_in_words(interactions: pl.DataFrame) -> None:
    with pytest.raises(NotEnoughFeedback, match="both need at least one"):
        global_time(interactions)
