"""The registry: names, parameters and stored models, and what is said where they do not fit."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import sparse

from feedback.errors import BundleCorrupt, LearningError
from models.bundle.bundle import MANIFEST, Provenance, load_bundle, write_bundle
from models.interaction_matrix import ItemIndex
from models.recommenders.arrays import prefixed, sparse_arrays, sparse_of, under
from models.recommenders.factors import FactorModel, ItemFactors
from models.recommenders.popularity import Popularity, PopularityModel
from models.recommenders.registry import (
    CHALLENGER,
    RECOMMENDERS,
    STOPGAP,
    build_recommender,
    compared_recommenders,
    load_model,
    recommender_class,
)
from tests.models.frames import START, checkerboard, training


def test_every_name_leads_to_a_recommender_of_that_name() -> None:
    assert {name: recommender_class(name).name for name in RECOMMENDERS} == {name: name for name in RECOMMENDERS}
    assert {CHALLENGER, STOPGAP} <= {found.name for found in compared_recommenders()}
    assert not recommender_class(STOPGAP).model.personal


def test_an_unknown_name_or_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LearningError, match=r"no recommender is called 'als'; there are: .*signed_als"):
        recommender_class("als")
    with pytest.raises(LearningError, match=r"signed_als: parameters \{'ranks': 3\} do not fit"):
        build_recommender("signed_als", {"ranks": 3})


def test_a_model_without_one_of_its_arrays_is_refused_by_name() -> None:
    popular = {"popularity": np.zeros(2, dtype=np.float32)}

    with pytest.raises(LearningError, match="signed_als: 'item_factors' is missing"):
        load_model("signed_als", ItemIndex("ab"), popular, {"regularization": 0.1, "alpha": 1.0})


def test_sparse_matrices_and_parts_come_back_as_they_were() -> None:
    matrix = sparse.csr_array(np.array([[0, 2.5, 0], [0, 0, 0], [1, 0, 3]], dtype=np.float32))
    stored = {**prefixed("near", sparse_arrays("similarity", matrix)), **prefixed("far", {"popularity": np.ones(3)})}

    assert set(under("far", stored)) == {"popularity"}
    found = sparse_of("similarity", under("near", stored), columns=3)
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())


def written(folder: Path) -> Path:
    interactions = checkerboard(4)
    data = training(interactions)
    factors = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    model = FactorModel(
        data.items, Popularity().fit(data).popularity,
        factors=ItemFactors(factors, -factors, regularization=0.1, alpha=1.0, aversion=0.25),
    )  # fmt: skip
    write_bundle(
        folder, model, name="signed_als", parameters={"signed": True, "regularization": 0.1, "alpha": 1.0,
        "aversion": 0.25}, interactions=interactions, items=data.catalogue,
        provenance=Provenance(created_at=START, metrics={}),
    )  # fmt: skip
    return folder


def changed(folder: Path, **fields: object) -> None:
    manifest = {**msgspec.json.decode((folder / MANIFEST).read_bytes()), **fields}
    if manifest["format"] == 1:
        del manifest["model"]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def test_a_bundle_of_format_1_has_the_models_numbers_among_its_parameters(tmp_path: Path) -> None:
    now = load_bundle(written(tmp_path / "bundle"))
    changed(tmp_path / "bundle", format=1)

    before = load_bundle(tmp_path / "bundle")

    assert before.manifest.format == 1
    history = now.history_of("u01")
    assert before.recommend(history, 4) == now.recommend(history, 4)
    assert before.recommend(history, 4).personal
    assert before.model.config() == now.model.config() == {"regularization": 0.1, "alpha": 1.0, "aversion": 0.25}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"recommender": "deep_als"}, "no recommender is called 'deep_als'"),
        ({"format": 3}, "format 3; this version of Heed reads formats 1 and 2"),
        ({"model": {"alpha": 1.0}}, "signed_als: 'regularization' is missing"),
    ],
)
def test_a_bundle_that_cannot_be_read_is_refused_by_name(tmp_path: Path, fields: dict[str, object], words: str) -> None:
    changed(written(tmp_path / "bundle"), **fields)

    with pytest.raises(BundleCorrupt, match=words):
        load_bundle(tmp_path / "bundle")


def test_a_model_with_values_that_are_no_numbers_is_neither_written_nor_loaded(tmp_path: Path) -> None:
    folder = written(tmp_path / "bundle")
    factors = np.load(folder / "item_factors.npy")
    factors[1, 1] = np.nan
    np.save(folder / "item_factors.npy", factors)
    content = (folder / "item_factors.npy").read_bytes()
    files = msgspec.json.decode((folder / MANIFEST).read_bytes())["files"]
    changed(folder, files={**files, "item_factors.npy": {"sha256": sha256(content).hexdigest(), "bytes": len(content)}})
    data = training(checkerboard(4))

    with pytest.raises(BundleCorrupt, match="item_factors: 1 of 8 values of the model are no finite numbers"):
        load_bundle(folder)
    with pytest.raises(LearningError, match="popularity: 4 of 4 values"):
        write_bundle(
            tmp_path / "next", PopularityModel(data.items, np.full(4, np.inf, dtype=np.float32)), name="popularity",
            parameters={}, interactions=data.interactions, items=data.catalogue,
            provenance=Provenance(created_at=START, metrics={}),
        )  # fmt: skip
    assert not (tmp_path / "next").exists()


class Misnamed(PopularityModel):
    name = "history_items"

    def arrays(self) -> dict[str, np.ndarray]:
        return {**super().arrays(), self.name: self.popularity}


@pytest.mark.parametrize("name", ["history_items", "../popularity", ""])
def test_an_array_that_would_be_another_file_is_refused(tmp_path: Path, name: str) -> None:
    data = training(checkerboard(4))
    model = Misnamed(data.items, np.zeros(4, dtype=np.float32))
    model.name = name

    with pytest.raises(LearningError, match=f"an array cannot be called '{name}'"):
        write_bundle(
            tmp_path / "bundle", model, name="popularity", parameters={}, interactions=data.interactions,
            items=data.catalogue, provenance=Provenance(created_at=START, metrics={}),
        )  # fmt: skip


def test_a_bundle_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    data = training(checkerboard(4))

    with pytest.raises(LearningError, match="signed_als makes a FactorModel, not a PopularityModel"):
        write_bundle(
            tmp_path / "bundle", Popularity().fit(data), name="signed_als", parameters={},
            interactions=data.interactions, items=data.catalogue, provenance=Provenance(created_at=START, metrics={}),
        )  # fmt: skip
