"""What each kind of feedback says, read in columns and one event at a time."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.contract import KINDS
from models.preferences import (
    EVIDENCE_CAP,
    NEUTRAL_WEIGHT,
    PREFERENCE_KINDS,
    PREFERENCE_RULES,
    ItemPreference,
    Signal,
    Stance,
    build_interactions,
    combined,
    merged,
    signal_of,
    stance_of,
    weighed,
)
from tests.models.frames import START, events_of, rating

SILENT = {"search", "session", "message", "exposure", "consent", "identify", "profile", "item"}


def test_every_kind_of_the_contract_either_says_something_or_is_known_to_be_silent() -> None:
    assert set(KINDS) == PREFERENCE_KINDS | SILENT
    assert not PREFERENCE_KINDS & SILENT


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (5, (1, 5), 1.0),
        (3, (1, 5), 0.0),
        (1, (1, 5), -1.0),
        (0.5, (0.5, 5), -1.0),
        (5, (0.5, 5), 1.0),
        (75, (0, 100), 0.5),
    ],
    ids=["best of five", "middle", "worst", "lowest half star", "highest half star", "percent"],
)
def test_a_rating_is_read_on_its_own_scale(value: float, scale: tuple[float, float], expected: float) -> None:
    found = signal_of("rating", value, scale_min=scale[0], scale_max=scale[1])

    assert found is not None
    assert found == Signal(explicit=True, amount=pytest.approx(expected))


@pytest.mark.parametrize(
    ("label", "value", "sign"),
    [("nps", 10, 1), ("nps", 7, 0), ("nps", 6, -1), ("csat", 5, 1), ("csat", 3, 0), ("ces", 7, 1), ("ces", 1, -1)],
)
def test_a_survey_answer_without_scale_is_read_on_the_metric_s_own(label: str, value: float, sign: int) -> None:
    found = signal_of("survey", value, label=label)

    assert found is not None
    assert np.sign(round(found.amount, 12)) == sign


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("view", 1), ("click", 1), ("follow", 1), ("bookmark", 1), ("share", 1), ("add_to_cart", 1), ("purchase", 1),
     ("skip", -1), ("hide", -1), ("return", -1)],
)  # fmt: skip
def test_behaviour_without_a_number_has_its_sign(kind: str, sign: int) -> None:
    found = signal_of(kind)

    assert found is not None
    assert not found.explicit
    assert np.sign(found.amount) == sign


def test_a_return_outweighs_the_purchase_it_follows() -> None:
    bought, returned = signal_of("purchase"), signal_of("return")

    assert bought is not None
    assert returned is not None
    assert bought.amount + returned.amount < 0


def test_a_quick_skip_says_more_than_a_late_one_and_a_long_dwell_more_than_a_short_one() -> None:
    skips = [signal_of("skip", seconds) for seconds in (0.0, 10.0, 30.0, 300.0)]
    dwells = [signal_of("dwell", seconds) for seconds in (0.0, 10.0, 60.0, 600.0)]

    amounts = [found.amount for found in skips if found]
    assert amounts[0] < amounts[1] < amounts[2] == amounts[3] < 0
    amounts = [found.amount for found in dwells if found]
    assert 0 == amounts[0] < amounts[1] < amounts[2] == amounts[3]


@pytest.mark.parametrize(
    ("kind", "value", "scale", "label"),
    [
        ("rating", None, (1, 5), None),
        ("rating", math.nan, (1, 5), None),
        ("rating", 3, (None, None), None),
        ("rating", 3, (5, 5), None),
        ("review", None, (None, None), None),
        ("dwell", None, (None, None), None),
        ("survey", None, (None, None), "text"),
        ("survey", 3, (None, None), "choice"),
        ("reaction", None, (None, None), "shrug"),
        ("reaction", None, (None, None), None),
        ("message", None, (None, None), "chat"),
    ],
)
def test_what_lacks_its_value_says_nothing_in_both_readings(
    kind: str, value: float | None, scale: tuple[float | None, float | None], label: str | None
) -> None:
    row = {"kind": kind, "subject": "s", "item_id": "i", "value": value,
           "scale_min": scale[0], "scale_max": scale[1], "label": label}  # fmt: skip

    assert signal_of(kind, value, scale_min=scale[0], scale_max=scale[1], label=label) is None
    assert build_interactions(events_of([row]).lazy()).is_empty()


def test_the_latest_statement_wins_whatever_the_order_of_arrival() -> None:
    late, early = START + timedelta(days=2), START + timedelta(days=1)

    frame = build_interactions(
        events_of([rating("s", "i", 1, occurred_at=late), rating("s", "i", 5, occurred_at=early)]).lazy()
    )

    assert frame["explicit"].to_list() == [-1.0]
    assert frame["explicit_at"].to_list() == [late]
    assert frame["events"].to_list() == [2]


def test_of_two_statements_at_one_time_the_later_in_the_log_wins() -> None:
    rows = [rating("s", "i", 5, occurred_at=START, log_offset=8), rating("s", "i", 1, occurred_at=START, log_offset=3)]

    assert build_interactions(events_of(rows).lazy())["explicit"].to_list() == [1.0]


def test_words_outvote_behaviour() -> None:
    preference, weight = weighed(np.array([-1.0, 1.0, np.nan]), np.array([50.0, -50.0, 50.0]))

    assert preference[0] < 0 < preference[1]
    assert preference[2] == 1.0
    assert weight.tolist() == [1 + EVIDENCE_CAP, 1 + EVIDENCE_CAP, EVIDENCE_CAP]


def test_no_events_give_an_empty_frame_with_the_same_columns() -> None:
    empty = build_interactions(events_of([]).lazy())
    full = build_interactions(events_of([rating("s", "i", 5)]).lazy())

    assert empty.is_empty()
    assert empty.schema == full.schema


def test_rows_without_subject_or_item_are_left_out() -> None:
    rows = [rating("s", "i", 5), {"kind": "view", "subject": "s"}, {"kind": "view", "item_id": "i"}]

    assert build_interactions(events_of(rows).lazy()).height == 1


NUMBERS = st.one_of(st.none(), st.floats(-10, 120), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 7.0]))
EVENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(PREFERENCE_KINDS | SILENT)),
        "subject": st.sampled_from(["s", "t"]),
        "item_id": st.sampled_from(["i", "j"]),
        "value": NUMBERS,
        "scale_min": st.sampled_from([None, 0.0, 1.0, math.nan]),
        "scale_max": st.sampled_from([None, 1.0, 5.0, 10.0]),
        "label": st.sampled_from([None, *sorted({rule.label for rule in PREFERENCE_RULES if rule.label}), "unheard"]),
        "occurred_at": st.integers(0, 5).map(lambda days: START + timedelta(days=days)),
    }
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(EVENT, max_size=25))
def test_both_readings_of_the_table_are_equal(rows: list[dict[str, object]]) -> None:
    frame = build_interactions(events_of(rows).lazy())
    preferences: dict[tuple[object, object], ItemPreference] = {}
    for row in rows:
        found = signal_of(
            row["kind"], row["value"], scale_min=row["scale_min"], scale_max=row["scale_max"], label=row["label"]
        )  # type: ignore[arg-type]
        if found is not None:
            key = (row["subject"], row["item_id"])
            at = int(pl.Series([row["occurred_at"]]).dt.epoch("us")[0])
            preferences[key] = merged(preferences.get(key), found, occurred_at=at)

    built = {(row["subject"], row["item_id"]): row for row in frame.iter_rows(named=True)}
    assert built.keys() == preferences.keys()
    for key, preference in preferences.items():
        assert built[key]["implicit"] == pytest.approx(preference.implicit, abs=1e-9)
        if preference.explicit is None:
            assert built[key]["explicit"] is None
        else:
            assert built[key]["explicit"] == pytest.approx(preference.explicit, abs=1e-12)
        assert -1.0 <= built[key]["preference"] <= 1.0
        assert built[key]["weight"] >= 0.0


@pytest.mark.parametrize(
    ("value", "weight"), [(5, 1.0), (4, 1.0), (3, NEUTRAL_WEIGHT), (2, 1.0), (1, 1.0), (3.5, (1 + NEUTRAL_WEIGHT) / 2)]
)
def test_a_rating_in_the_middle_of_its_scale_is_weak_evidence(value: float, weight: float) -> None:
    frame = build_interactions(events_of([rating("p", "i", value)]).lazy())

    assert frame["weight"].to_list() == [pytest.approx(weight)]


def test_behaviour_adds_to_the_weight_of_a_neutral_rating() -> None:
    bought = {"kind": "purchase", "subject": "p", "item_id": "i"}
    frame = build_interactions(events_of([rating("p", "i", 3), bought]).lazy())

    assert frame["weight"].to_list() == [pytest.approx(1 + NEUTRAL_WEIGHT)]
    assert frame["preference"][0] > 0


@pytest.mark.parametrize(
    ("explicit", "implicit", "stance"),
    [
        (1.0, 0.0, Stance.LIKED),
        (0.5, -1.0, Stance.LIKED),
        (0.0, 1.0, Stance.RATED),
        (-0.2, 0.0, Stance.RATED),
        (-0.5, 1.0, Stance.DISLIKED),
        (math.nan, 0.05, Stance.TOUCHED),
        (math.nan, -0.8, Stance.PASSED_OVER),
    ],
)
def test_a_person_is_told_no_more_than_they_said(explicit: float, implicit: float, stance: Stance) -> None:
    assert stance_of(explicit, implicit) is stance


def test_linked_subjects_think_of_an_item_what_one_person_would() -> None:
    stated, later = ItemPreference(0.5, 10, 1.0), ItemPreference(-1.0, 20, 0.25)

    assert combined(None, stated) == stated
    assert combined(stated, later) == combined(later, stated) == ItemPreference(-1.0, 20, 1.25)
    assert combined(ItemPreference(implicit=2.0), stated) == ItemPreference(0.5, 10, 3.0)
    assert combined(ItemPreference(implicit=2.0), ItemPreference(implicit=1.0)) == ItemPreference(implicit=3.0)
