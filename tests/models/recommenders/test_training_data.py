"""What a fit is given: everything in the order of the items, and parts of it for splits."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from feedback.errors import LearningError
from models.catalogue import COLUMNS, catalogue_of
from models.interaction_matrix import ItemIndex
from models.recommenders.training_data import TrainingData
from tests.models.frames import START, ratings

INTERACTIONS = ratings([("p", "b", 5.0), ("q", "a", 1.0), ("q", "b", 4.0)])
ENTRIES = pl.DataFrame(
    {
        "item_id": ["new", "b"],
        "title": ["New", "B"],
        "tags": [["x"], None],
        "available": [False, None],
        "price": [1.0, 2.0],
    }
)


def test_items_are_those_of_interactions_and_catalogue_and_the_catalogue_is_in_their_order() -> None:
    data = TrainingData.of(INTERACTIONS, catalogue=ENTRIES, seed=1)

    assert data.items.ids == ("a", "b", "new")
    assert data.catalogue.columns == ["item_id", *COLUMNS, "price"]
    assert data.catalogue.select("item_id", "title", "tags", "available", "price").rows() == [
        ("a", "a", [], True, None),
        ("b", "B", [], True, 2.0),
        ("new", "New", ["x"], False, 1.0),
    ]
    assert data.catalogue.schema["released_at"] == pl.Datetime("us", "UTC")


def test_a_catalogue_without_entries_has_every_column() -> None:
    found = catalogue_of(ItemIndex("ab"), pl.DataFrame(schema={"item_id": pl.String}))

    assert {name: found.schema[name] for name in COLUMNS} == COLUMNS
    assert found["title"].to_list() == ["a", "b"]


def test_the_first_time_of_an_item_is_its_first_in_these_rows_and_none_where_nobody_touched_it() -> None:
    data = TrainingData.of(INTERACTIONS, catalogue=ENTRIES, seed=1)
    later = data.part(data.interactions.filter(pl.col("subject") == "q"))

    start = (START - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    np.testing.assert_array_equal(data.first_seen, [start + 60, start, np.nan])
    np.testing.assert_array_equal(later.first_seen, [start + 60, start + 120, np.nan])


def test_a_part_has_the_same_items_and_its_own_histories() -> None:
    data = TrainingData.of(INTERACTIONS, catalogue=ENTRIES, seed=1)
    part = data.part(data.interactions.head(1), seed=7)

    assert (part.items, part.seed, data.seed) == (data.items, 7, 1)
    assert part.catalogue is data.catalogue
    assert (len(data.matrix), len(part.matrix)) == (2, 1)


def test_a_fit_that_needs_spark_says_so_where_none_was_given() -> None:
    with pytest.raises(LearningError, match="give TrainingData a `session`"):
        TrainingData.of(INTERACTIONS, seed=1).session()
