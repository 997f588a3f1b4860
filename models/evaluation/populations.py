"""Three populations, judged apart: strangers, newcomers of a few events, and people with a history.

All three are judged on what would be served to them. Newcomers are strangers of the time split whose first events are
shown to the model, as fold-in sees them in serving, and who are judged by what they did afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from models.evaluation.metrics import Floats, Metrics, Truth, measure_lists
from models.evaluation.splits import GLOBAL_TIME, Split
from models.interaction_matrix import InteractionMatrix, ItemPositions
from models.recommenders.recommender import Model

NEWCOMER_EVENTS = (1, 3, 5)
"""How many first events of a newcomer the model is shown, one list for each."""


class Population(StrEnum):
    """Whom a figure is about."""

    ALL = "all"
    STRANGERS = "strangers"
    """No history in train."""
    NEWCOMERS = "newcomers"
    """Their first 1, 3 and 5 events are known, each of them a list of its own."""
    KNOWN = "known"
    """A history in train."""


PREFIXES = {Population.STRANGERS: "stranger_", Population.NEWCOMERS: "newcomer_", Population.KNOWN: "known_"}
"""What the names of a population's figures begin with, in the table `evaluations` and in MLflow."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The figures of one population."""

    metrics: Metrics
    ndcg: Floats
    """Of each list that was judged; the same lists in the same order for every recommender on a split."""


def prefix_of(population: Population) -> str:
    """What the name of a population's figures begins with: nothing for all people."""
    return "" if population is Population.ALL else PREFIXES[population]


def judge_populations(model: Model, split: Split, *, k: int) -> dict[Population, Judged]:
    """Figures by population; those without anybody to judge are left out, `ALL` never is.

    The lists are those that serving would give: `Model.recommend_all` lists what is popular for who has no history.
    """
    test = InteractionMatrix.from_frame(split.test, model.items)
    subjects = [subject.decode() for subject in test.subjects.tolist()]
    histories = InteractionMatrix.from_frame(split.train, model.items).take(subjects)
    lists, truth = model.recommend_all(histories, k), _truth(test, len(model.items))
    known = np.diff(histories.indptr) > 0
    found = {Population.ALL: _judged(lists, truth)}
    for population, mask in ((Population.STRANGERS, ~known), (Population.KNOWN, known)):
        if (truth.counts[mask] > 0).any():
            found[population] = _judged(lists[mask], truth.of_users(mask))
    if split.name == GLOBAL_TIME and (newcomers := _newcomers(model, split, k=k)) is not None:
        found[Population.NEWCOMERS] = newcomers
    return found


def first_events(split: Split, *, events: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first rows of each stranger of a split's test rows, by time, and those that came later.

    People without a later row are left out: there is nothing to judge them by.
    """
    strangers = split.test.join(split.train.select("subject").unique(), on="subject", how="anti")
    place = pl.col("last_at").rank("ordinal").over("subject")
    placed = strangers.with_columns(place=place, rows=pl.len().over("subject")).filter(pl.col("rows") > events)
    shown = placed.filter(pl.col("place") <= events).drop("place", "rows")
    return shown, placed.filter(pl.col("place") > events).drop("place", "rows")


def _newcomers(model: Model, split: Split, *, k: int) -> Judged | None:
    judged: list[tuple[ItemPositions, Truth]] = []
    for events in NEWCOMER_EVENTS:
        shown, later = first_events(split, events=events)
        if later.is_empty():
            continue
        test = InteractionMatrix.from_frame(later, model.items)
        subjects = [subject.decode() for subject in test.subjects.tolist()]
        histories = InteractionMatrix.from_frame(shown, model.items).take(subjects)
        judged.append((model.recommend_all(histories, k), _truth(test, len(model.items))))
    if not any((truth.counts > 0).any() for _, truth in judged):
        return None
    return _judged(np.concatenate([lists for lists, _ in judged]), _stacked([truth for _, truth in judged]))


def _truth(test: InteractionMatrix, n_items: int) -> Truth:
    preference, _ = test.preference_and_weight
    return Truth(test.indptr, test.items, preference < 0, n_items=n_items)


def _stacked(truths: list[Truth]) -> Truth:
    counts = np.concatenate([truth.counts for truth in truths])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items: npt.NDArray[np.integer] = np.concatenate([truth.items for truth in truths])
    return Truth(indptr, items, np.concatenate([truth.disliked for truth in truths]), truths[0].n_items)


def _judged(lists: ItemPositions, truth: Truth) -> Judged:
    return Judged(*measure_lists(lists, truth))
