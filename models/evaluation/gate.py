"""The gate: decide whether a new model may serve, with reasons in words; a pure function.

A refused model changes nothing while a learnt model serves. Where none serves yet, or popularity serves as a stopgap,
decayed popularity is published, so that there is always something to list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.evaluation.metrics import Metrics
from models.evaluation.splits import GLOBAL_TIME, STRATIFIED
from models.recommenders.registry import STOPGAP

BASELINES = ("popularity", STOPGAP)
"""Recommenders that a learnt one replaces without a comparison."""


class GateOutcome(StrEnum):
    """What to publish."""

    PROMOTE = "promote"
    """The challenger."""
    FALL_BACK = "fall_back"
    """Decayed popularity: the challenger was refused and no learnt model serves."""
    KEEP = "keep"
    """Nothing: the challenger was refused and a learnt model goes on serving."""


@dataclass(frozen=True, slots=True)
class GateRules:
    """The bounds; ratios are to the figure compared with."""

    ndcg_over_baseline: Mapping[str, float]
    """By split, the least ratio of nDCG to decayed popularity's."""
    ndcg_over_champion: float = 0.95
    disliked_over_baseline: float = 1.1
    """Dislikes per hit, not per slot: a list that hits more holds more of everything that people touch.

    One standard error is added to the bound: with eighty dislikes, ten more are chance.
    """
    disliked_over_champion: float = 1.1
    coverage_over_baseline: float = 0.9
    least_users: int = 10
    prior_hits: float = 300.0
    """Prior hits of both sides, so that a few slots of a small set do not decide."""
    prior_dislikes: float = 30.0
    """Dislikes among them: one hit in ten, about what films have."""


RULES = GateRules(ndcg_over_baseline={STRATIFIED: 1.02, GLOBAL_TIME: 0.95})
"""Both splits judge what would be served: strangers get what is popular lately, known people the model. Over time most
people are strangers and few known people are judged, so a model may lose a little there; by item it has to win."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule applied to one split."""

    rule: str
    split: str
    value: float
    bound: float
    holds: bool
    reason: str


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """The figures over people who have a history in train: the challenger's and decayed popularity's."""

    challenger: Metrics
    baseline: Metrics


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate says, and why."""

    outcome: GateOutcome
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]
    """Sentences: what failed, or what the model passed with."""

    @property
    def passed(self) -> bool:
        """Whether the challenger may serve."""
        return self.outcome is GateOutcome.PROMOTE


def decide(
    challenger: Mapping[str, Metrics],
    baseline: Mapping[str, Metrics],
    *,
    champion: Mapping[str, Metrics] | None = None,
    known: Mapping[str, KnownPeople] | None = None,
    serving: str | None = None,
    missing: Mapping[str, str] | None = None,
    rules: GateRules = RULES,
) -> GateResult:
    """Compare a challenger with decayed popularity and with the champion, split by split.

    Args:
        challenger: The new model's figures by split.
        baseline: Decayed popularity's figures by split.
        champion: Those of what serves now, measured on the same splits; None where nothing comparable serves.
        known: By split, the figures of those who have a history in train; told beside, not judged.
        serving: Which recommender serves now, if any.
        missing: Splits that could not be made, and why; a model may pass on the other one.
        rules: The bounds.
    """
    absent = dict(missing or {})
    rulings: list[Ruling] = []
    for split in rules.ndcg_over_baseline:
        if split not in absent:
            rulings += _rulings(
                split, challenger, baseline, champion or {}, known=(known or {}).get(split), rules=rules
            )
    passed = bool(rulings) and all(ruling.holds for ruling in rulings)
    said = [ruling.reason for ruling in rulings if not ruling.holds]
    if passed:
        said = [ruling.reason for ruling in rulings if ruling.rule == "ndcg_over_baseline"]
    said += [f"not judged on the {split} split: {why}" for split, why in absent.items()]
    if not rulings:
        said.append("no split could be judged")
    if passed:
        return GateResult(GateOutcome.PROMOTE, tuple(rulings), tuple(said))
    stopgap = serving is None or serving in BASELINES
    said.append("what is popular lately is served instead" if stopgap else f"the present model ({serving}) stays")
    return GateResult(GateOutcome.FALL_BACK if stopgap else GateOutcome.KEEP, tuple(rulings), tuple(said))


def _rulings(
    split: str,
    challenger: Mapping[str, Metrics],
    baseline: Mapping[str, Metrics],
    champion: Mapping[str, Metrics],
    *,
    known: KnownPeople | None,
    rules: GateRules,
) -> list[Ruling]:
    new, base, old = challenger.get(split), baseline.get(split), champion.get(split)
    compared = [m for m in (new, base, old) if m is not None]
    whole = new is not None and base is not None
    sound = whole and all(math.isfinite(figure) for m in compared for figure in m.figures().values())
    if not sound or new is None or base is None:
        reason = f"a figure of the {split} split is missing or not a number"
        return [Ruling("figures_are_numbers", split, math.nan, math.nan, holds=False, reason=reason)]
    popular = "decayed popularity"
    found = [
        _enough_users(split, new, rules=rules),
        _hits(split, new),
        _ndcg("baseline", split, new, base, ratio=rules.ndcg_over_baseline[split], name=popular, known=known),
        _disliked("baseline", split, new, base, ratio=rules.disliked_over_baseline, name=popular, rules=rules),
        _coverage(split, new, base, rules=rules),
    ]
    if old is not None:
        champions = "the champion"
        found += [
            _ndcg("champion", split, new, old, ratio=rules.ndcg_over_champion, name=champions),
            _disliked("champion", split, new, old, ratio=rules.disliked_over_champion, name=champions, rules=rules),
        ]
    return found


def _enough_users(split: str, new: Metrics, *, rules: GateRules) -> Ruling:
    holds = new.users >= rules.least_users
    reason = f"people judged on the {split} split: {new.users}, at least {rules.least_users} are needed"
    return Ruling("enough_users", split, new.users, rules.least_users, holds=holds, reason=reason)


def _hits(split: str, new: Metrics) -> Ruling:
    hits = new.precision * new.users * new.k
    reason = f"none of the model's lists holds an item that its person went on to touch, on the {split} split"
    return Ruling("some_hits", split, hits, 0.0, holds=hits > 0, reason=reason)


def _ndcg(
    against: str, split: str, new: Metrics, old: Metrics, *, ratio: float, name: str, known: KnownPeople | None = None
) -> Ruling:
    bound = ratio * old.ndcg
    holds = new.ndcg >= bound
    reason = (
        f"the model's lists {'reach' if holds else 'fall short of'} {ratio:g} times {name}'s nDCG on the {split} "
        f"split: {new.ndcg:.4f} over {new.users} people, {'at least' if holds else 'below'} {bound:.4f} "
        f"({name} {old.ndcg:.4f})"
    )
    if known is not None and known.challenger.users < new.users:
        mine, popular = known.challenger, known.baseline
        reason += f"; for the {mine.users} of them who are known: {mine.ndcg:.4f}, {name} {popular.ndcg:.4f}"
    return Ruling(f"ndcg_over_{against}", split, new.ndcg, bound, holds=holds, reason=reason)


def _disliked(
    against: str, split: str, new: Metrics, old: Metrics, *, ratio: float, name: str, rules: GateRules
) -> Ruling:
    value, theirs = dislikes_per_hit(new, rules=rules), dislikes_per_hit(old, rules=rules)
    bound = ratio * theirs + math.sqrt(theirs / _hits_counted(new, rules=rules))
    holds = value <= bound
    reason = (
        f"the model's lists hold {'not too' if holds else 'too'} many items that people dislike on the {split} split: "
        f"{value:.4f} dislikes per hit, {'at most' if holds else 'above'} {bound:.4f} ({name} {theirs:.4f})"
    )
    return Ruling(f"disliked_over_{against}", split, value, bound, holds=holds, reason=reason)


def _coverage(split: str, new: Metrics, base: Metrics, *, rules: GateRules) -> Ruling:
    bound = rules.coverage_over_baseline * base.coverage
    holds = new.coverage >= bound
    reason = (
        f"the model's lists hold {'enough' if holds else 'too few'} different items on the {split} split: "
        f"coverage {new.coverage:.4f}, {'at least' if holds else 'below'} {bound:.4f} "
        f"(decayed popularity {base.coverage:.4f})"
    )
    return Ruling("coverage_over_baseline", split, new.coverage, bound, holds=holds, reason=reason)


def dislikes_per_hit(metrics: Metrics, *, rules: GateRules = RULES) -> float:
    """Dislikes per hit, counted in slots and shrunk towards the prior: of few hits it says little."""
    disliked = metrics.disliked * metrics.users * metrics.k
    return (disliked + rules.prior_dislikes) / _hits_counted(metrics, rules=rules)


def _hits_counted(metrics: Metrics, *, rules: GateRules) -> float:
    return metrics.precision * metrics.users * metrics.k + rules.prior_hits
