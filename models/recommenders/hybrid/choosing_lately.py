"""Choose what makes the list of what is wanted lately, on cuts in time inside train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.recommenders.hybrid.choosing_taste import TRIAL_RANK
from models.recommenders.hybrid.folds import Fold, cells, judged_people
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.hybrid.parts import fit_parts
from models.recommenders.hybrid.scoring import PartScores, standardised_neighbours
from models.recommenders.hybrid.slots import composed, slots_of
from models.recommenders.kernels.blending import (
    BlendRows,
    Climb,
    best_of_blend,
    climb,
    ndcg_of_blend,
    ndcg_of_lists,
    shortlisted,
)
from models.recommenders.kernels.matrix import Doubles, Mask
from models.recommenders.kernels.trending import HALF_LIVES_DAYS, half_life_days_of, log_wants

MOST_PEOPLE = 400
"""Judged after each cut, of each population."""
LEAST_PEOPLE = 60
"""Of a population after a cut, below which a blend cannot earn its place."""
LEAST_GAIN = 5e-4
"""nDCG that a weight must gain over all people of a population to be taken."""
SLOTS = (0, 1, 2, 3, 5, 10)
LATELY_PARTS = 5
"""Log wants, newness, factors, neighbourhood, similar people."""


@dataclass(frozen=True)
class LatelyChoice:
    """What was chosen, and what it reached after the cuts."""

    parameters: HybridParameters
    known: Climb | None
    newcomers: Climb | None
    """None where no cut leaves enough people."""
    known_ratios: Mapping[int, float]
    """By slots of ten given to what is wanted lately: nDCG of known people's lists over that of log wants alone."""
    newcomer_ratios: Mapping[int, float]


def choose_lately(cuts: Sequence[Fold], start: HybridParameters, *, seed: int) -> LatelyChoice:
    """The half-life on everybody, the weights beside it on known people and newcomers apart.

    Args:
        cuts: Of the sample; without any, `start` stays as it is.
        start: The taste parameters, which are chosen before.
        seed: Of fits and samples.
    """
    if not cuts:
        return LatelyChoice(start, None, None, {}, {})
    chosen = replace(start, half_life_days=chosen_half_life_days(cuts, seed=seed))
    trial = replace(chosen, ranks=TRIAL_RANK)
    known: list[BlendRows] = []
    newcomers: list[BlendRows] = []
    for at, cut in enumerate(cuts):
        parts = fit_parts(cut.train, trial, seed=seed + at, only=("factors", "ease", "people"))
        few = cut.train.lengths <= trial.newcomer_events
        known.append(_rows(cut, parts, ~few, seed=seed))
        newcomers.append(_rows(cut, parts, few & (cut.train.lengths > 0), seed=seed))
    found = _earned(known, seed=seed)
    found_newcomers = _earned(newcomers, seed=seed)
    if found is not None:
        _, new, factors, ease, neighbours = found.weights.tolist()
        chosen = replace(chosen, known_newness=new, known_factors=factors, known_ease=ease, known_neighbours=neighbours)
    if found_newcomers is not None:
        _, new, factors, ease, neighbours = found_newcomers.weights.tolist()
        chosen = replace(
            chosen, newcomer_newness=new, newcomer_factors=factors, newcomer_ease=ease, newcomer_neighbours=neighbours
        )
    taste, similar = np.array([0, 0, 1, chosen.taste_ease, 0]), np.array([0, 0, 0, 0, 1.0])
    ratios = (
        _served_ratios(known, taste, np.asarray(chosen.lately(newcomer=False))),
        _served_ratios(newcomers, similar, np.asarray(chosen.lately(newcomer=True))),
    )
    return LatelyChoice(chosen, found, found_newcomers, *ratios)


def chosen_half_life_days(cuts: Sequence[Fold], *, seed: int) -> float:
    """The half-life whose popular lists meet most of what everybody did after the cuts."""
    figures: list[list[float]] = []
    for cut in cuts:
        people = judged_people(cut, 2 * MOST_PEOPLE, seed=seed)
        histories, held = cut.train.take(people), cells(cut.held.take(people))
        opened = ~cells(histories)
        figures.append([
            float(ndcg_of_blend(_popular(log_wants(cut.train, days), opened, held), np.ones(1)).mean())
            for days in HALF_LIVES_DAYS
        ])  # fmt: skip
    return half_life_days_of(figures, importance=[cut.importance for cut in cuts])


def _popular(scores: np.ndarray, opened: Mask, held: Mask) -> BlendRows:
    return BlendRows(np.broadcast_to(scores, opened.shape)[..., None], opened, held)


def _rows(cut: Fold, parts: object, chosen: Mask, *, seed: int) -> BlendRows:
    people = judged_people(cut, MOST_PEOPLE, seed=seed, chosen=chosen)
    histories = cut.train.take(people)
    scores = PartScores(parts, histories)  # type: ignore[arg-type]
    shape = (len(people), cut.train.n_items)
    if not len(people):
        return BlendRows(np.zeros((*shape, LATELY_PARTS), np.float32), np.ones(shape, bool), np.zeros(shape, bool))
    wants, new = np.broadcast_to(scores.parts.log_wants, shape), np.broadcast_to(scores.parts.newness, shape)
    features = np.stack([wants, new, scores.factors, scores.ease, standardised_neighbours(scores)], axis=-1)
    return shortlisted(BlendRows(features, ~cells(histories), cells(cut.held.take(people)), cut.importance))


def _earned(rows: Sequence[BlendRows], *, seed: int) -> Climb | None:
    """The weights, where their gain outside the bootstraps exceeds one standard error."""
    if max((len(row.features) for row in rows), default=0) < LEAST_PEOPLE:
        return None
    found = climb(rows, (1.0, *[0.0] * (LATELY_PARTS - 1)), seed=seed, least_gain=LEAST_GAIN)
    if found.gain > found.error:
        return found
    return replace(found, weights=np.eye(LATELY_PARTS)[0])


def _served_ratios(rows: Sequence[BlendRows], taste: Doubles, lately: Doubles) -> dict[int, float]:
    """By slots of ten for what is wanted lately: nDCG after the cuts, over that of log wants alone."""
    people = np.concatenate([np.full(len(row.features), row.importance) for row in rows]) if rows else np.zeros(0)
    plain = np.concatenate([ndcg_of_blend(row, np.eye(LATELY_PARTS)[0]) for row in rows]) if rows else np.zeros(0)
    below = float(people @ plain)
    if below <= 0:
        return {}
    return {
        slots: float(people @ np.concatenate([_served(row, taste, lately, slots) for row in rows])) / below
        for slots in SLOTS
    }


def _served(row: BlendRows, taste: Doubles, lately: Doubles, slots: int) -> Doubles:
    own, theirs = best_of_blend(row, taste), best_of_blend(row, lately)
    lists = composed(own, theirs, np.full(len(own), slots_of(own.shape[1], slots)))
    return ndcg_of_lists(lists, row.chosen, row.counts)
