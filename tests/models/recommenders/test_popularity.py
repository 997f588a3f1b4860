"""What is popular: wanted lately, and not by those who dislike it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from models.interaction_matrix import History, ItemIndex
from models.preferences import ItemPreference, build_interactions
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.popularity import DecayedPopularity, Popularity, decayed_popularity_of
from tests.models.frames import START, events_of, rating, ratings, training


def ranked(interactions: pl.DataFrame) -> tuple[str, ...]:
    items = ItemIndex.of(interactions)
    return DecayedPopularity().fit(training(interactions, items)).recommend(History(), len(items)).items


def by_many(item: str, value: float, people: int) -> list[tuple[str, str, float]]:
    return [(f"{item}-{value}-{person}", item, value) for person in range(people)]


def test_what_sixty_people_love_comes_before_what_a_hundred_hate() -> None:
    disputed = by_many("disputed", 1, 200) + by_many("disputed", 5, 70)
    interactions = ratings(by_many("hated", 1, 100) + by_many("loved", 5, 60) + disputed)

    assert ranked(interactions) == ("loved", "disputed", "hated")


def test_what_is_disliked_comes_after_what_nobody_knows_and_a_single_dislike_decides_nothing() -> None:
    interactions = ratings([*by_many("hated", 1, 40), *by_many("liked", 5, 10), ("one", "liked", 1)])
    items = ItemIndex(["hated", "liked", "new"])

    found = DecayedPopularity().fit(training(interactions, items)).recommend(History(), 3)

    assert found.items == ("liked", "new", "hated")


def test_without_dislikes_it_counts_people_halved_for_every_half_life() -> None:
    clicks = [{"kind": "click", "subject": f"s{n}", "item_id": item, "occurred_at": START + timedelta(days=day)}
              for n, (item, day) in enumerate([("a", 0), ("a", 30), ("b", 60), ("c", 0)])]  # fmt: skip
    interactions = build_interactions(events_of(clicks).lazy())

    found = decayed_popularity_of(interactions, ItemIndex("abc"), half_life_days=30.0)

    np.testing.assert_allclose(found, [0.75, 1.0, 0.25])


@pytest.mark.parametrize("against", ["hide", "return", "skip"])
def test_behaviour_against_an_item_never_makes_it_more_popular(against: str) -> None:
    bought = [{"kind": "purchase", "subject": f"s{n}", "item_id": "a"} for n in range(3)]
    rival = [{"kind": "purchase", "subject": "r", "item_id": "b", "occurred_at": START + timedelta(days=89)}]
    late = {"item_id": "a", "occurred_at": START + timedelta(days=90)}
    items = ItemIndex("ab")

    def popularity(*more: dict[str, object]) -> np.ndarray:
        last = {"kind": "click", "subject": "x", "item_id": "c", "occurred_at": START + timedelta(days=90)}
        events = events_of([*bought, *rival, last, *more]).lazy()
        return decayed_popularity_of(build_interactions(events), items, half_life_days=30.0)

    before = popularity()
    by_a_buyer = popularity({"kind": against, "subject": "s1", **late})
    by_a_stranger = popularity({"kind": against, "subject": "y", **late})

    assert by_a_buyer[0] <= before[0] + 1e-6
    assert by_a_stranger[0] < before[0]
    assert by_a_buyer[0] < by_a_buyer[1]


def test_interactions_from_before_the_column_fade_from_their_last_event() -> None:
    interactions = ratings([("a", "i", 5.0), ("b", "j", 5.0)])
    old = interactions.with_columns(wanted_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")))

    items = ItemIndex("ij")
    with_nulls = decayed_popularity_of(old, items, half_life_days=30.0)
    without_column = decayed_popularity_of(old.drop("wanted_at"), items, half_life_days=30.0)

    np.testing.assert_array_equal(with_nulls, without_column)
    np.testing.assert_array_equal(with_nulls, decayed_popularity_of(interactions, items, half_life_days=30.0))


def test_plain_popularity_counts_everybody_who_touched_an_item() -> None:
    interactions = ratings(by_many("hated", 1, 3) + by_many("loved", 5, 2))

    model = Popularity().fit(training(interactions, ItemIndex(["hated", "loved"])))

    assert model.popularity.tolist() == [3.0, 2.0]


def test_a_small_history_leans_away_from_what_is_disliked() -> None:
    factors = ItemFactors(np.ones((3, 1), dtype=np.float32), None, regularization=0.1, alpha=1.0)
    popularity = np.array([4.0, 0.0, -9.0], dtype=np.float32)
    model = FactorModel(ItemIndex("abc"), popularity, factors=factors)

    found = model.recommend(History({"a": ItemPreference(explicit=1.0)}), 2)

    assert found.personal
    assert found.items == ("b", "c")
    assert np.isfinite(found.scores).all()


def test_the_time_of_wanting_is_the_last_event_that_does_not_speak_against() -> None:
    events = [
        rating("p", "i", 4.0),
        {"kind": "click", "subject": "p", "item_id": "i"},
        {"kind": "hide", "subject": "p", "item_id": "i"},
        {"kind": "hide", "subject": "p", "item_id": "j"},
    ]

    found = build_interactions(events_of(events).lazy())

    assert found["wanted_at"].to_list() == [START + timedelta(minutes=1), None]
    assert found["last_at"].to_list() == [START + timedelta(minutes=2), START + timedelta(minutes=3)]
