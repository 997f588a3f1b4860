"""The bench of served lists scores what people would get, by a rule worked out by hand."""

from __future__ import annotations

import math

import pytest

from bench.learning.served import ListedUser, scores
from models.evaluation.splits import Split
from models.interaction_matrix import ItemIndex
from tests.models.frames import ratings


def test_lists_are_scored_on_the_held_out_rows_beside_popularity() -> None:
    train = ratings([("anna", "a", 5), ("ben", "a", 4), ("cleo", "b", 5)])
    test = ratings([("anna", "b", 5), ("anna", "c", 1), ("ben", "c", 5)])
    split = Split("stratified", train=train, test=test)
    lists = [ListedUser("anna", ["c", "d"], "personal"), ListedUser("ben", ["a"], "popular")]

    found = {figure.figure: figure for figure in scores(lists, split, ItemIndex("abcd"))}

    second = 1 / math.log2(3)
    ndcg = found["served lists, nDCG@10 on held-out ratings"]
    assert ndcg.value == pytest.approx(1 / (1 + second) / 2)
    assert found["served lists, precision@10"].value == pytest.approx(0.05)
    assert found["served lists, disliked@10"].value == pytest.approx(0.05)
    assert found["people with a history who get a personal list"].value == 0.5
    assert found["items in lists that their person had rated in the file"].value == 1
    assert not found["items in lists that their person had rated in the file"].holds
