"""Populations: strangers, newcomers and known people are judged apart, each as they would be served."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models.evaluation.intervals import mean_interval
from models.evaluation.populations import Population, first_events, judge_populations
from models.evaluation.splits import Split
from models.interaction_matrix import ItemIndex
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.popularity import DecayedPopularity
from tests.models.frames import ratings, training


def test_what_is_judged_is_what_would_be_served() -> None:
    train = ratings((f"p{person}", f"i{(person + step) % 6}", 5.0) for person in range(6) for step in range(3))
    test = ratings([("p0", "i4", 5.0), ("p1", "i5", 5.0), ("new", "i0", 5.0), ("newer", "i1", 5.0)])
    split = Split("global_time", train=train, test=test)
    items = ItemIndex.of(train, test)
    factors = ItemFactors(np.eye(6, dtype=np.float32) + 0.1, None, regularization=0.1, alpha=1.0)
    popular = DecayedPopularity().fit(training(train, items))
    model = FactorModel(items, popular.popularity, factors=factors)
    strangers = Split("strangers", train=train, test=test.filter(test["subject"].str.starts_with("new")))

    mine, unknown = judge_populations(model, split, k=2), judge_populations(model, strangers, k=2)
    everybody, known, none = (mine[population].metrics for population in (Population.ALL, Population.KNOWN,
                                                                          Population.STRANGERS))  # fmt: skip

    assert (everybody.users, known.users, none.users) == (4, 2, 2)
    assert Population.KNOWN not in unknown
    assert unknown[Population.ALL].metrics == none == judge_populations(popular, strangers, k=2)[Population.ALL].metrics
    assert everybody.ndcg == pytest.approx((known.ndcg + none.ndcg) / 2)
    assert mine[Population.ALL].ndcg.mean() == pytest.approx(everybody.ndcg)


def test_newcomers_are_strangers_whose_first_events_are_shown() -> None:
    train = ratings((f"p{person}", f"i{item}", 5.0) for person in range(4) for item in range(3))
    visits = [("new", f"i{item}", 5.0) for item in (5, 0, 1, 2, 3)] + [("once", "i4", 5.0), ("p0", "i5", 5.0)]
    test = ratings(visits).with_columns(pl.col("last_at") + pl.duration(days=1))
    split = Split("global_time", train=train, test=test)

    shown, later = first_events(split, events=3)

    assert shown.sort("last_at")["item_id"].to_list() == ["i5", "i0", "i1"]
    assert later.sort("last_at")["item_id"].to_list() == ["i2", "i3"]
    assert set(shown["subject"]) == set(later["subject"]) == {"new"}
    model = DecayedPopularity().fit(training(train, ItemIndex.of(train, test)))
    assert len(judge_populations(model, split, k=2)[Population.NEWCOMERS].ndcg) == 2  # after one event and after three


def test_an_interval_holds_the_mean_and_narrows_with_more_people() -> None:
    rng = np.random.default_rng(3)
    few, many = rng.random(50), rng.random(5_000)

    wide, narrow = mean_interval(few, seed=1), mean_interval(many, seed=1)

    assert wide.low < few.mean() < wide.high
    assert 4 < (wide.high - wide.low) / (narrow.high - narrow.low) < 20
    assert mean_interval(few, seed=1) == wide
    assert mean_interval(np.full(10, 0.5), seed=1).low == 0.5
