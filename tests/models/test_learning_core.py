"""The learning core without Spark: preferences read two equal ways, the split, the metrics, the fold-in, the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback.errors import BundleCorrupt, NoModel
from models.bundle.bundle import Provenance
from models.bundle.store import BundleStore
from models.evaluation.splits import stratified_by_item
from models.interaction_matrix import History, ItemIndex
from models.preferences import PREFERENCE_KINDS, PREFERENCE_RULES, ItemPreference, build_interactions, merged, signal_of
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.foldin import FoldIn
from models.recommenders.popularity import Popularity
from models.recommenders.ranking import top_positions
from tests.models.frames import ratings, training

START = datetime(2026, 1, 1, tzinfo=UTC)


def random_events(count: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rules = [PREFERENCE_RULES[place] for place in rng.integers(0, len(PREFERENCE_RULES), count)]
    return [
        {
            "kind": rule.kind, "label": rule.label, "subject": f"s{rng.integers(4)}", "item_id": f"i{rng.integers(4)}",
            "value": None if rng.random() < 0.2 else float(np.round(rng.random() * 10, 2)),
            "scale_min": 0.0 if rule.scaled else None, "scale_max": 10.0 if rule.scaled else None,
            "occurred_at": START + timedelta(minutes=int(rng.integers(0, 30))),
            "log_partition": 0, "log_offset": number, "log_index": 0,
        }
        for number, rule in enumerate(rules)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_columns_and_events_read_preferences_the_same(seed: int) -> None:
    events = random_events(400, seed)
    frame = build_interactions(pl.LazyFrame(events, infer_schema_length=None))

    preferences: dict[tuple[str, str], ItemPreference] = {}
    for event in events:
        signal = signal_of(
            event["kind"],
            event["value"],
            scale_min=event["scale_min"],
            scale_max=event["scale_max"],
            label=event["label"],
        )
        if signal is not None:
            key = (event["subject"], event["item_id"])
            preferences[key] = merged(
                preferences.get(key), signal, occurred_at=int(event["occurred_at"].timestamp() * 1e6)
            )

    rows = {(r["subject"], r["item_id"]): r for r in frame.iter_rows(named=True)}
    assert set(rows) == set(preferences)
    for key, preference in preferences.items():
        assert rows[key]["implicit"] == pytest.approx(preference.implicit)
        assert (rows[key]["explicit"] is None) == (preference.explicit is None)
        if preference.explicit is not None:
            assert rows[key]["explicit"] == pytest.approx(preference.explicit)


@pytest.mark.parametrize(
    ("kind", "value", "scale", "sign"),
    [
        ("rating", 5, (1, 5), 1),
        ("rating", 1, (1, 5), -1),
        ("rating", 3, (1, 5), 0),
        ("rating", 0, (0, 10), -1),
        ("rating", 0.5, (0.5, 5), -1),
    ],
)
def test_a_rating_has_the_sign_of_its_place_on_the_scale(
    kind: str, value: float, scale: tuple[float, float], sign: int
) -> None:
    signal = signal_of(kind, value, scale_min=scale[0], scale_max=scale[1])

    assert signal is not None
    assert np.sign(signal.amount) == sign


def test_kinds_without_a_preference_make_no_interaction() -> None:
    assert not PREFERENCE_KINDS & {"search", "session", "message", "exposure", "consent", "identify", "profile", "item"}


def test_the_best_are_exact_and_ties_go_by_position() -> None:
    scores = np.array([1.0, 3.0, 3.0, -np.inf, 2.0])

    assert top_positions(scores, 3).tolist() == [1, 2, 4]
    assert top_positions(scores, 99).tolist() == [1, 2, 4, 0]
    assert top_positions(scores, 0).tolist() == []


def test_the_split_takes_three_quarters_of_each_item_by_one_number_per_row_in_file_order() -> None:
    frame = pl.DataFrame({"subject": [str(n) for n in range(24)], "item_id": ["a"] * 16 + ["b"] * 8})

    split = stratified_by_item(frame.with_columns(preference=1.0), seed=42)

    numbers = np.random.RandomState(42).rand(24)
    wanted = {str(n) for n in np.argsort(numbers[:16])[:12]} | {str(16 + n) for n in np.argsort(numbers[16:])[:6]}
    assert set(split.train["subject"]) == wanted
    assert split.test.height == 6


def test_fold_in_is_the_least_squares_solution_and_its_contributions_add_up() -> None:
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(12, 4)).astype(np.float32)
    fold = FoldIn(factors, regularization=0.1, alpha=2.0)
    rows, strengths = np.array([1, 5, 7]), np.array([1.0, 0.5, 2.0])

    vector = fold.solve(rows, strengths)

    confidence = np.ones(12)
    confidence[rows] += 2.0 * strengths
    wanted = np.zeros(12)
    wanted[rows] = 1.0
    y = factors.astype(float)
    expected = np.linalg.solve(y.T @ (confidence[:, None] * y) + 0.1 * 3 * np.eye(4), y.T @ (confidence * wanted))
    np.testing.assert_allclose(vector, expected, rtol=1e-6)
    batch = fold.solve_all(np.array([0, 3]), rows, strengths)
    np.testing.assert_allclose(batch[0], vector, rtol=1e-9)
    targets = y[[0, 2]]
    found = fold.user_vector(rows, strengths)
    assert found is not None
    np.testing.assert_allclose(found.contributions(targets).sum(axis=1), targets @ vector, rtol=1e-6)


def taste() -> FactorModel:
    """Two groups of three items, told apart by one factor each."""
    liked = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=np.float32)
    factors = ItemFactors(positive=liked, negative=None, regularization=0.01, alpha=10.0)
    return FactorModel(ItemIndex("abcxyz"), np.zeros(6, dtype=np.float32), factors=factors)


def test_a_list_continues_a_persons_taste_leaves_out_what_they_know_and_says_why() -> None:
    model = taste()
    history = History({"a": ItemPreference(explicit=1.0)})

    ranking = model.recommend(history, 2)

    assert set(ranking.items) == {"b", "c"}
    assert model.explain(history, ranking.items)[0][0].item == "a"
    assert set(model.recommend(history, 5, exclude=("b",)).items) == {"c", "x", "y", "z"}
    assert not model.recommend(History(), 3).personal


def test_the_reasons_are_the_strongest_of_the_history_and_never_what_speaks_against() -> None:
    model = taste()
    history = History(
        {
            "x": ItemPreference(explicit=1.0),
            "a": ItemPreference(explicit=1.0, implicit=2.0),
            "b": ItemPreference(explicit=1.0),
        }
    )

    reasons = model.explain(history, ("c", "unknown"), reasons=3)

    assert [reason.item for reason in reasons[0]] == ["a", "b"]
    assert reasons[0][0].contribution > reasons[0][1].contribution > 0
    assert reasons[1] == ()
    assert model.explain(History(), ("c",)) == ((),)


def test_a_stored_history_and_the_same_by_name_give_the_same_list_and_reasons(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    publish_factors(store)
    bundle = store.load()

    for subject in bundle.histories.subjects.tolist():
        stored = bundle.history_of(subject.decode())
        named = History(dict(stored.preferences))
        assert len(stored) == len(named) > 0
        ranking = bundle.recommend(stored, 3)
        assert ranking == bundle.recommend(named, 3)
        assert bundle.explain(stored, ranking.items) == bundle.explain(named, ranking.items)


TWELVE = tuple(f"i{number}" for number in range(12))


EIGHT = tuple(f"s{number}" for number in range(8))


def publish_factors(store: BundleStore, items: Sequence[str] = TWELVE, *, people: Sequence[str] = EIGHT) -> str:
    """A bundle that folds histories in, with fixed factors; everybody knows half of the items."""
    pairs = ((user, item) for user in range(len(people)) for item in range(len(items)) if (user + item) % 2)
    interactions = ratings((people[user], items[item], float(1 + user * item % 5)) for user, item in pairs)
    index = ItemIndex.of(interactions)
    factors = np.random.default_rng(5).normal(size=(len(index), 4)).astype(np.float32)
    model = FactorModel(
        index,
        Popularity().fit(training(interactions, index)).popularity,
        factors=ItemFactors(positive=factors, negative=None, regularization=0.1, alpha=2.0),
    )
    manifest = store.publish(
        model, name="unsigned_als", parameters={"regularization": 0.1, "alpha": 2.0}, interactions=interactions,
        items=pl.DataFrame({"item_id": ["i0"], "title": ["Zero"]}),
        provenance=Provenance(created_at=START, metrics={}, positions={0: 0}),
    )  # fmt: skip
    return manifest.version


def publish(
    store: BundleStore,
    at: datetime = START,
    *,
    reasons: Sequence[str] = (),
    interactions: pl.DataFrame | None = None,
) -> str:
    if interactions is None:
        interactions = build_interactions(pl.LazyFrame(random_events(200, 3), infer_schema_length=None))
    index = ItemIndex.of(interactions)
    manifest = store.publish(
        Popularity().fit(training(interactions, index)), name="popularity", parameters={}, interactions=interactions,
        items=pl.DataFrame({"item_id": ["i0"], "title": ["Zero"]}),
        provenance=Provenance(created_at=at, metrics={}, reasons=reasons),
    )  # fmt: skip
    return manifest.version


def test_a_published_bundle_is_what_is_loaded_and_can_be_rolled_back(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    with pytest.raises(NoModel, match="heed run"):
        store.load()

    first = publish(store)
    second = publish(store, START + timedelta(hours=1))

    assert store.load().version == second
    assert store.load().item("i0") is not None
    assert len(store.load().history_of("s1")) > 0
    assert store.rollback() == first
    assert store.load().version == first


def test_a_damaged_bundle_is_refused_with_the_file_named(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    version = publish(store)
    (tmp_path / version / "popularity.npy").write_bytes(b"x")

    with pytest.raises(BundleCorrupt, match=r"popularity\.npy"):
        store.load()
