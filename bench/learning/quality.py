"""How good the hybrid's lists are on film ratings: taste, dislikes, what is wanted lately, newcomers, fold-in, cost.

All choices are made inside the train rows of each split. Other logs: `--interactions FILE`, Parquet with the columns of
the table `interactions`, judged over time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import polars as pl

from bench.figures import Figure, at_least, below, reported
from bench.learning.served import rated
from models.evaluation.benchmarks import SPLIT_SEED, fold_in_share, rated_interactions
from models.evaluation.metrics import Metrics, Truth, measure, ndcg
from models.evaluation.splits import Split, global_time, stratified_by_item
from models.interaction_matrix import InteractionMatrix, ItemIndex
from models.recommenders.hybrid.choosing_newcomers import LENGTHS, shuffled_places
from models.recommenders.hybrid.lists import HybridLists
from models.recommenders.hybrid.parts import fit_parts
from models.recommenders.hybrid.recommender import Hybrid, HybridModel
from models.recommenders.hybrid.scoring import PartScores, places_of
from models.recommenders.kernels.matrix import PreferenceMatrix
from models.recommenders.popularity import DecayedPopularity
from models.recommenders.training_data import TrainingData
from models.recommenders.training_matrix import history_matrix, preference_matrix

OPTIONS = (
    click.Option(["--seed", "seeds"], type=int, multiple=True, default=(SPLIT_SEED,), help="Of the split by item."),
    click.Option(["--interactions", "files"], type=click.Path(path_type=Path), multiple=True, help="Another log."),
    click.Option(["--retrain"], is_flag=True, help="Compare fold-in with retrains: 23 fits."),
)
LIST_LENGTH = 10
KEPT_OUT_SHARE = 0.2
DRAWS = 3
NEWCOMER_BARS = dict(zip(LENGTHS, (0.30, 0.33, 0.35), strict=True))
SEED = 42


def run(
    report: Callable[[str], None], *, seeds: tuple[int, ...], files: tuple[Path, ...], retrain: bool
) -> Iterator[Figure]:
    """Figures of MovieLens 100k, then of other logs over time."""
    if not files:
        with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
            report("fetching MovieLens 100k")
            interactions = rated_interactions(rated(Path(folder)), scale=(1, 5))
        for seed in seeds:
            yield from taste_figures(interactions, seed, report, retrain=retrain)
        yield from time_figures("MovieLens 100k", interactions, report, over_popular=1.05, over_half_life=1.15)
    for path in files:
        yield from time_figures(path.stem, pl.read_parquet(path), report)


def taste_figures(
    interactions: pl.DataFrame, seed: int, report: Callable[[str], None], *, retrain: bool
) -> Iterator[Figure]:
    """Lists on the split by item, those of newcomers, and fold-in."""
    split = stratified_by_item(interactions, seed=seed)
    data = TrainingData.of(split.train, ItemIndex.of(interactions), seed=SEED)
    report(f"choosing, split {seed}")
    started = time.perf_counter()
    hybrid = Hybrid.choosing(data)
    yield below(f"choices on {split.train.height} ratings", time.perf_counter() - started, 40, unit="s")
    report(f"fitting, split {seed}")
    started = time.perf_counter()
    model = hybrid.fit(data)
    yield reported("last fit", time.perf_counter() - started, unit="s")
    truth, histories = _truth(split, model)
    parts = model.parts
    careless = replace(parts, parameters=replace(parts.parameters, dislike=0.0))
    taste = measure(HybridLists(careless).taste_lists(histories, LIST_LENGTH), truth)
    minding = measure(HybridLists(parts).taste_lists(histories, LIST_LENGTH), truth)
    served = measure(HybridLists(parts).lists(histories, LIST_LENGTH), truth)
    yield from _bars(f"taste list, split {seed}", taste, ndcg_bar=0.5, precision_bar=0.432)
    yield at_least(f"taste list, split {seed}, MAP@10", taste.map, 0.158)
    yield at_least("dislike term, share of disliked@10 spared", 1 - minding.disliked / taste.disliked, 0.25)
    yield below("dislike term, points of nDCG@10", 100 * (taste.ndcg - minding.ndcg), 1.5)
    yield from _bars(f"served list, split {seed}", served, ndcg_bar=0.48, precision_bar=0.41)
    yield below(f"served list, split {seed}, disliked@10", served.disliked, 0.03)
    report("newcomers")
    yield from newcomer_figures(split, hybrid, data.items)
    if retrain:
        report("fold-in against retrains")
        yield at_least("fold-in, share of a retrain's nDCG@10", fold_in_share(hybrid, split, data), 0.99)


def newcomer_figures(split: Split, hybrid: Hybrid, items: ItemIndex) -> Iterator[Figure]:
    """A fifth of the people kept out, a few of their train rows shown, all others neither shown nor listed."""
    train = preference_matrix(split.train, items)
    subjects = split.train["subject"].unique().sort()
    rows = InteractionMatrix.from_frame(split.test, items).take(subjects.to_list())
    test = history_matrix(rows, len(items))
    found: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(train))
        cold = np.sort(order[: int(KEPT_OUT_SHARE * len(order))])
        parts = fit_parts(train.take(np.setdiff1d(order, cold)), hybrid, seed=draw)
        theirs, later = train.take(cold), test.take(cold)
        place = shuffled_places(theirs, rng)
        for length in LENGTHS:
            shown = theirs.where(place < length)
            lists = places_of(PartScores(parts, shown).taste(), theirs, LIST_LENGTH)
            truth = Truth(later.indptr, later.items, later.preference < 0, n_items=len(items))
            found[length].append(measure(lists, truth).ndcg)
    for length, values in found.items():
        yield at_least(f"newcomers after {length} events, nDCG@10", float(np.mean(values)), NEWCOMER_BARS[length])


def time_figures(
    name: str,
    interactions: pl.DataFrame,
    report: Callable[[str], None],
    *,
    over_popular: float = 1.0,
    over_half_life: float = 0.0,
) -> Iterator[Figure]:
    """Lists of everybody after the cut, beside what is popular by 30 days and by the chosen half-life."""
    split = global_time(interactions)
    data = TrainingData.of(split.train, ItemIndex.of(interactions), seed=SEED)
    report(f"{name}: choosing over time")
    model = Hybrid().fit(data)
    days = model.parts.parameters.half_life_days
    truth, histories = _truth(split, model)
    known = histories.lengths > 0
    report(f"{name}: judging over time")
    lately = HybridLists(model.parts).lately_lists(histories, LIST_LENGTH)
    served = HybridLists(model.parts).lists(histories, LIST_LENGTH)
    popular, chosen = (_popular(data, histories, half_life) for half_life in (30.0, days))
    base = _ndcg(popular, truth)
    yield reported(f"{name} over time, chosen half-life", days, unit="days")
    yield reported(f"{name} over time, 30-day popularity, all people, nDCG@10", float(base.mean()))
    for title, lists in (("wanted lately", lately), ("served", served)):
        own = _ndcg(lists, truth)
        ratio = float(own.mean() / base.mean())
        yield at_least(f"{name} over time, {title}, all people over 30-day popularity", ratio, over_popular)
        if known.any():
            beside = float(_ndcg(chosen, truth)[known].mean())
            figure = f"{name} over time, {title}, known people over the chosen half-life"
            value = float(own[known].mean() / beside) if beside > 0 else 1.0
            yield at_least(figure, value, over_half_life) if title == "wanted lately" else reported(figure, value)


def _bars(title: str, found: Metrics, *, ndcg_bar: float, precision_bar: float) -> Iterator[Figure]:
    yield at_least(f"{title}, nDCG@10", found.ndcg, ndcg_bar)
    yield at_least(f"{title}, precision@10", found.precision, precision_bar)


def _truth(split: Split, model: HybridModel) -> tuple[Truth, PreferenceMatrix]:
    test = InteractionMatrix.from_frame(split.test, model.items)
    subjects = [subject.decode() for subject in test.subjects.tolist()]
    histories = InteractionMatrix.from_frame(split.train, model.items).take(subjects)
    preference, _ = test.preference_and_weight
    truth = Truth(test.indptr, test.items, preference < 0, n_items=len(model.items))
    return truth, history_matrix(histories, len(model.items))


def _popular(data: TrainingData, histories: PreferenceMatrix, half_life_days: float) -> npt.NDArray[np.int64]:
    scores = DecayedPopularity(half_life_days=half_life_days).fit(data).popularity
    found = [
        places_of(np.broadcast_to(scores, (1, len(scores))), histories.take(np.array([person])), LIST_LENGTH)
        for person in range(len(histories))
    ]
    return np.concatenate(found)


def _ndcg(lists: npt.NDArray[np.int64], truth: Truth) -> npt.NDArray[np.float64]:
    hits, _ = truth.hits(lists)
    return ndcg(hits, truth.counts)
