"""Choose all parameters of a hybrid inside train, on a sample where there is much; to be remembered with its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from models.recommenders.hybrid.choosing_lately import LatelyChoice, choose_lately
from models.recommenders.hybrid.choosing_newcomers import NewcomerChoice, judge_newcomers
from models.recommenders.hybrid.choosing_taste import TasteChoice, choose_taste
from models.recommenders.hybrid.folds import row_folds, sample_of, time_cuts
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.slots import PER
from models.recommenders.kernels.matrix import PreferenceMatrix

SAMPLE_INTERACTIONS = 100_000
SAMPLE_PEOPLE = 8_000
"""Where people did two or three things each, they are what a fit costs."""
FOLDS = 3
DENSE_ITEMS = 4000
"""Catalogues up to this size get the dense neighbourhood; a larger one takes minutes and gigabytes."""
CHOOSING_DENSE_ITEMS = 2000
"""The same while choosing, which fits it many times."""
NEIGHBOURS = 150
CHOOSING_NEIGHBOURS = 80


@dataclass(frozen=True)
class Choice:
    """What was chosen, on what, and what it reached there."""

    parameters: HybridParameters
    taste: TasteChoice
    lately: LatelyChoice
    newcomers: NewcomerChoice
    people: int
    interactions: int
    """Of the sample."""


def choose(
    matrix: PreferenceMatrix,
    start: HybridParameters | None = None,
    *,
    seed: int,
    sample: int = SAMPLE_INTERACTIONS,
    progress: Callable[[str], None] = lambda step: None,
) -> Choice:
    """Choose by splits inside `matrix` alone.

    Args:
        matrix: All of train.
        start: What is kept where the data cannot decide.
        seed: Of samples, folds and fits.
        sample: Interactions that are looked at, about.
        progress: Is told each step.
    """
    start = sized(start or HybridParameters(), matrix.n_items, most_dense=DENSE_ITEMS, neighbours=NEIGHBOURS)
    some = sample_of(matrix, sample, seed=seed, most_people=SAMPLE_PEOPLE)
    trial = sized(start, some.n_items, most_dense=CHOOSING_DENSE_ITEMS, neighbours=CHOOSING_NEIGHBOURS)
    progress(f"choosing taste on {some.nnz} interactions of {len(some)} people")
    taste = choose_taste(row_folds(some, FOLDS, seed=seed), trial, seed=seed)
    progress("judging newcomers")
    newcomers = judge_newcomers(some, taste.parameters, seed=seed)
    progress("choosing half-life and weights over time")
    lately = choose_lately(time_cuts(some), taste.parameters, seed=seed)
    chosen = replace(
        lately.parameters,
        ease_neighbours=start.ease_neighbours,
        known_slots=slots_for(taste.ndcg, taste.popular_ndcg, lately.known_ratios, start.known_slots),
        newcomer_slots=slots_for(newcomers.ndcg, newcomers.popular_ndcg, lately.newcomer_ratios, start.newcomer_slots),
    )
    return Choice(chosen, taste, lately, newcomers, len(some), some.nnz)


def slots_for(taste: float, popular: float, over_time: Mapping[int, float], wanted: int) -> int:
    """`wanted` slots of ten for what is wanted lately, or all ten where taste does not earn the rest.

    Taste earns it where the geometric mean of its two ratios to what is popular is above 1: on rows left out at
    random, which a sample of a log flatters, and over time, which it punishes.
    """
    if popular <= 0 or taste <= 0:
        return PER if popular > 0 else wanted
    mean = (taste / popular * over_time[wanted]) ** 0.5 if wanted in over_time else taste / popular
    return wanted if mean > 1.0 else PER


def sized(parameters: HybridParameters, n_items: int, *, most_dense: int, neighbours: int) -> HybridParameters:
    """Dense neighbourhood for small catalogues, best neighbours for large ones."""
    return replace(parameters, ease_neighbours=0 if n_items <= most_dense else neighbours)
