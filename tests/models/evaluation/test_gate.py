"""The gate: what may serve, judged as it would be served, and never on a handful of slots."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.evaluation.gate import GateOutcome, GateResult, KnownPeople, decide
from models.evaluation.metrics import Metrics

PLAIN = Metrics(ndcg=0.27, precision=0.2, recall=0.2, map=0.1, coverage=0.3, disliked=0.01, users=2_000, k=10)
ZERO = Metrics(ndcg=0.0, precision=0.0, recall=0.0, map=0.0, coverage=0.3, disliked=0.0, users=2_000, k=10)
SPLITS = ("stratified", "global_time")


def better(times: float) -> Metrics:
    return replace(PLAIN, ndcg=PLAIN.ndcg * times, precision=min(PLAIN.precision * times, 1.0))


def judged(stratified: Metrics, over_time: Metrics, **more: object) -> GateResult:
    return decide(
        dict(zip(SPLITS, (stratified, over_time), strict=True)), dict.fromkeys(SPLITS, PLAIN), **more  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("by_item", "over_time", "outcome"),
    [
        (1.9, 0.974, GateOutcome.PROMOTE),
        (1.02, 0.95, GateOutcome.PROMOTE),
        (1.9, 0.94, GateOutcome.FALL_BACK),
        (1.01, 1.2, GateOutcome.FALL_BACK),
    ],
)
def test_a_model_has_to_win_by_item_and_may_lose_a_little_over_time(
    by_item: float, over_time: float, outcome: GateOutcome
) -> None:
    assert judged(better(by_item * 1.0001), better(over_time * 1.0001)).outcome is outcome


def test_without_hits_nothing_is_promoted_whatever_the_baseline_reaches() -> None:
    result = decide(dict.fromkeys(SPLITS, ZERO), dict.fromkeys(SPLITS, ZERO))

    assert result.outcome is GateOutcome.FALL_BACK
    assert "none of the model's lists holds an item" in result.reasons[0]


def test_one_disliked_slot_in_twenty_thousand_refuses_nothing() -> None:
    clean = replace(PLAIN, disliked=0.0)
    three_times = replace(better(3.0), disliked=1 / 20_000)

    result = decide(dict.fromkeys(SPLITS, three_times), dict.fromkeys(SPLITS, clean))

    assert result.passed, result.reasons


def test_ten_dislikes_more_than_eighty_are_chance_and_eighty_more_are_not() -> None:
    few = replace(PLAIN, precision=0.1, disliked=80 / 20_000)

    def passes(dislikes: int) -> bool:
        model = replace(better(1.1), precision=0.1, disliked=dislikes / 20_000)
        return decide(dict.fromkeys(SPLITS, model), dict.fromkeys(SPLITS, few)).passed

    assert passes(90)
    assert not passes(160)


@pytest.mark.parametrize("champion", [None, dict.fromkeys(SPLITS, PLAIN)], ids=["none serves", "a champion"])
def test_clearly_more_dislikes_per_hit_are_refused(champion: dict[str, Metrics] | None) -> None:
    worse = replace(better(1.2), disliked=0.02)

    result = judged(worse, worse, champion=champion, serving=champion and "signed_als")

    assert result.outcome is (GateOutcome.KEEP if champion else GateOutcome.FALL_BACK)
    assert "dislike" in result.reasons[0]


def test_figures_of_known_people_are_told_apart_and_decide_nothing() -> None:
    few = KnownPeople(replace(PLAIN, ndcg=0.01, users=20), replace(PLAIN, ndcg=0.5, users=20))

    result = judged(better(1.5), better(1.0), known={"global_time": few})

    assert result.passed
    assert "for the 20 of them who are known: 0.0100, decayed popularity 0.5000" in result.reasons[1]


def test_a_missing_split_is_named_and_the_other_one_decides() -> None:
    only = {"global_time": better(1.0)}

    result = decide(only, {"global_time": PLAIN}, missing={"stratified": "one row per item"})

    assert result.passed
    assert "not judged on the stratified split: one row per item" in result.reasons
    assert not decide({}, {}, missing=dict.fromkeys(SPLITS, "too little")).passed
