"""Whether a freshly learnt model may serve: one pure function, and its reasons in words.

A model that is refused changes nothing where another learnt model serves. Where none does yet, or popularity serves
as a stopgap, what is popular lately is published in its place, so that serving always has something to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.metrics import Metrics
from models.splits import GLOBAL_TIME, STRATIFIED

STOPGAP = "decayed_popularity"
BASELINES = ("popularity", STOPGAP)


class Action(StrEnum):
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
    """Dislikes per hit, not per slot: a list that hits more holds more of everything that people touch."""
    disliked_over_champion: float = 1.1
    coverage_over_baseline: float = 0.9
    least_users: int = 10


RULES = GateRules(ndcg_over_baseline={STRATIFIED: 1.02, GLOBAL_TIME: 0.99})
"""Over time most people are strangers, who get the baseline's own list: there a model must not lose, within what two
seeds of the same fit differ by, and shows its worth on the people who are known."""


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
class Decision:
    """What the gate says, and why."""

    action: Action
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]
    """Sentences: what failed, or what the model passed with."""

    @property
    def passed(self) -> bool:
        """Whether the challenger may serve."""
        return self.action is Action.PROMOTE


def decide(
    challenger: Mapping[str, Metrics],
    baseline: Mapping[str, Metrics],
    *,
    champion: Mapping[str, Metrics] | None = None,
    serving: str | None = None,
    missing: Mapping[str, str] | None = None,
    rules: GateRules = RULES,
) -> Decision:
    """Compare a challenger with decayed popularity and with the champion, split by split.

    Args:
        challenger: The new model's figures by split.
        baseline: Decayed popularity's figures by split.
        champion: Those of what serves now, measured on the same splits; None where nothing comparable serves.
        serving: Which recommender serves now, if any.
        missing: Splits that could not be made, and why; a model may pass on the other one.
        rules: The bounds.
    """
    absent = dict(missing or {})
    rulings: list[Ruling] = []
    for split in rules.ndcg_over_baseline:
        if split not in absent:
            rulings += _rulings(split, challenger, baseline, champion or {}, rules=rules)
    passed = bool(rulings) and all(ruling.holds for ruling in rulings)
    said = [ruling.reason for ruling in rulings if not ruling.holds]
    if passed:
        said = [ruling.reason for ruling in rulings if ruling.rule == "ndcg_over_baseline"]
    said += [f"not judged on the {split} split: {why}" for split, why in absent.items()]
    if not rulings:
        said.append("no split could be judged")
    if passed:
        return Decision(Action.PROMOTE, tuple(rulings), tuple(said))
    stopgap = serving is None or serving in BASELINES
    said.append("what is popular lately is served instead" if stopgap else f"the present model ({serving}) stays")
    return Decision(Action.FALL_BACK if stopgap else Action.KEEP, tuple(rulings), tuple(said))


def _rulings(
    split: str,
    challenger: Mapping[str, Metrics],
    baseline: Mapping[str, Metrics],
    champion: Mapping[str, Metrics],
    *,
    rules: GateRules,
) -> list[Ruling]:
    new, base, old = challenger.get(split), baseline.get(split), champion.get(split)
    compared = [m for m in (new, base, old) if m is not None]
    whole = new is not None and base is not None
    sound = whole and all(math.isfinite(figure) for m in compared for figure in m.figures().values())
    if not sound or new is None or base is None:
        reason = f"a figure of the {split} split is missing or not a number"
        return [Ruling("figures_are_numbers", split, math.nan, math.nan, holds=False, reason=reason)]
    found = [
        _at_least("enough_users", split, new.users, rules.least_users, what="users judged"),
        _at_least(
            "ndcg_over_baseline",
            split,
            new.ndcg,
            rules.ndcg_over_baseline[split] * base.ndcg,
            what=f"nDCG (decayed popularity {base.ndcg:.4f})",
        ),
        _at_most(
            "disliked_over_baseline",
            split,
            _per_hit(new),
            rules.disliked_over_baseline * _per_hit(base),
            what=f"dislikes per hit (decayed popularity {_per_hit(base):.4f})",
        ),
        _at_least(
            "coverage_over_baseline",
            split,
            new.coverage,
            rules.coverage_over_baseline * base.coverage,
            what=f"coverage (decayed popularity {base.coverage:.4f})",
        ),
    ]
    if old is not None:
        bound = rules.ndcg_over_champion * old.ndcg
        found.append(_at_least("ndcg_over_champion", split, new.ndcg, bound, what=f"nDCG (champion {old.ndcg:.4f})"))
        bound = rules.disliked_over_champion * _per_hit(old)
        what = f"dislikes per hit (champion {_per_hit(old):.4f})"
        found.append(_at_most("disliked_over_champion", split, _per_hit(new), bound, what=what))
    return found


def _per_hit(metrics: Metrics) -> float:
    return metrics.disliked / metrics.precision if metrics.precision > 0 else 0.0


def _at_least(rule: str, split: str, value: float, bound: float, *, what: str) -> Ruling:
    holds = value >= bound
    reason = f"{what} on the {split} split: {value:.4g}, {'at least' if holds else 'below'} {bound:.4g}"
    return Ruling(rule, split, value, bound, holds=holds, reason=reason)


def _at_most(rule: str, split: str, value: float, bound: float, *, what: str) -> Ruling:
    holds = value <= bound
    reason = f"{what} on the {split} split: {value:.4g}, {'at most' if holds else 'above'} {bound:.4g}"
    return Ruling(rule, split, value, bound, holds=holds, reason=reason)
