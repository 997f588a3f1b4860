"""The published model: arrays, item table and manifest in one folder that serving can trust and load at once.

Every file is named in the manifest with its size and SHA-256 and is checked before it is used. Reading needs only
numpy, polars and msgspec, and large arrays are mapped, not copied.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import BundleCorrupt, LearningError
from models.catalogue import catalogue_of
from models.interaction_matrix import History, InteractionMatrix, ItemIndex
from models.recommenders.recommender import Model, Parameters, Ranking, Reason
from models.recommenders.registry import load_model, recommender_class

FORMAT = 2
"""1 had no `model`: the numbers of a model stood among the parameters of its fit."""
READABLE = (1, 2)
MANIFEST = "manifest.json"
ITEMS = "items.parquet"
HISTORY_ARRAYS = ("subjects", "indptr", "items", "explicit", "explicit_at", "implicit")
HISTORY = "history_"
ARRAY = ".npy"
ARRAY_NAME = re.compile(r"\w[\w.]*")
HASH_BLOCK_BYTES = 1 << 20


class BundleFile(msgspec.Struct, frozen=True):
    """What a file must be."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds and where it comes from."""

    version: str
    created_at: datetime
    recommender: str
    parameters: dict[str, float | int | str | bool]
    metrics: dict[str, dict[str, float]]
    """Figures by split, as the gate saw them."""
    reasons: list[str]
    """What the gate said."""
    mlflow_run_id: str | None
    mlflow_model_version: str | None
    delta_versions: dict[str, int]
    """Version of each table that was learnt from."""
    positions: dict[int, int]
    """By partition of the log, the first offset that the histories do not hold."""
    checks: dict[str, bool]
    """Data checks by name, and whether they held."""
    n_items: int
    n_subjects: int
    files: dict[str, BundleFile]
    model: dict[str, Any] | None = None
    """`Model.config` of the model; None in format 1."""
    format: int = 1


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a bundle comes from: figures, the gate's reasons, MLflow run, table versions, log positions."""

    created_at: datetime
    metrics: Mapping[str, Mapping[str, float]]
    reasons: Sequence[str] = ()
    mlflow_run_id: str | None = None
    mlflow_model_version: str | None = None
    delta_versions: Mapping[str, int] | None = None
    positions: Mapping[int, int] | None = None
    checks: Mapping[str, bool] | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of the manifest that say where a bundle comes from."""
        return {
            "created_at": self.created_at,
            "metrics": {split: dict(figures) for split, figures in self.metrics.items()},
            "reasons": list(self.reasons),
            "mlflow_run_id": self.mlflow_run_id,
            "mlflow_model_version": self.mlflow_model_version,
            "delta_versions": dict(self.delta_versions or {}),
            "positions": dict(self.positions or {}),
            "checks": dict(self.checks or {}),
        }


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: answers for any subject from memory."""

    manifest: Manifest
    model: Model
    histories: InteractionMatrix
    catalogue: pl.DataFrame
    """One row per item in the model's order: item_id, title, categories, available and what else is known."""

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.manifest.version

    def history_of(self, subject: str) -> History:
        """The history of a subject; empty for an unknown one."""
        row = self.histories.row_of(subject)
        return History() if row is None else self.histories.history(row, self.model.items)

    def recommend(self, history: History, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The best n items for a history; a popular list where the history says nothing."""
        return self.model.recommend(history, n, exclude=exclude)

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that contribute most; empty where popularity alone decided."""
        return self.model.explain(history, items, reasons=reasons)

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """Items that the same people like; nothing where the model has not learnt the item."""
        return self.model.similar(item, n, exclude=exclude)

    def item(self, item_id: str) -> dict[str, Any] | None:
        """The catalogue's row of an item, or None where it is unknown."""
        position = self.model.items.position(item_id)
        return None if position is None else self.catalogue.row(position, named=True)


def write_bundle(
    folder: Path,
    model: Model,
    *,
    name: str,
    parameters: Parameters,
    interactions: pl.DataFrame,
    items: pl.DataFrame,
    provenance: Provenance,
) -> Manifest:
    """Write a bundle's files into a folder that does not exist yet, named by the version, manifest last.

    Args:
        folder: Where to write; its name becomes the version.
        model: What lists are made with.
        name: What the recommender is called in the registry.
        parameters: Those of its fit.
        interactions: Everybody's histories.
        items: The catalogue.
        provenance: Where it all comes from.

    Raises:
        LearningError: No recommender of this name makes such a model, so that the bundle could not be read, or an
            array of the model holds a value that is no finite number.
    """
    arrays = model.arrays()
    _require_readable(model, name, arrays)
    _require_finite(arrays)
    folder.mkdir(parents=True)
    histories = InteractionMatrix.from_frame(interactions, model.items)
    for array, values in (arrays | _history_arrays(histories)).items():
        np.save(folder / f"{array}{ARRAY}", np.ascontiguousarray(values), allow_pickle=False)
    catalogue_of(model.items, items).write_parquet(folder / ITEMS)
    manifest = Manifest(
        version=folder.name.removesuffix(".partial"),
        recommender=name,
        parameters=dict(parameters),
        n_items=len(model.items),
        n_subjects=len(histories),
        files={path.name: _file_of(path) for path in sorted(folder.iterdir())},
        model=model.config(),
        format=FORMAT,
        **provenance.fields(),
    )
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def _require_readable(model: Model, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    made_by = recommender_class(name)
    if not isinstance(model, made_by.model):
        raise LearningError(f"{name} makes a {made_by.model.__name__}, not a {type(model).__name__}")
    for array in arrays:
        if array.startswith(HISTORY) or not ARRAY_NAME.fullmatch(array):
            raise LearningError(
                f"{name}: an array cannot be called {array!r}; letters, digits, _ and . can, and not {HISTORY}… first"
            )


def load_bundle(folder: Path) -> Bundle:
    """Check every file of a bundle and load it.

    Raises:
        BundleCorrupt: A file is missing, has another checksum or does not fit the others.
    """
    manifest = verify_bundle(folder)
    try:
        catalogue = pl.read_parquet(folder / ITEMS)
        index = ItemIndex(catalogue["item_id"].to_list())
        columns = {name: _array(folder, f"{HISTORY}{name}", mapped=True) for name in HISTORY_ARRAYS}
        bundle = Bundle(
            manifest, _load_model(folder, manifest, index, catalogue), InteractionMatrix(**columns), catalogue
        )
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError, LearningError) as error:
        raise BundleCorrupt(f"bundle {folder}: {error}; publish again or roll back") from error
    sizes = (len(index), len(bundle.histories), len(bundle.model.popularity))
    if sizes != (manifest.n_items, manifest.n_subjects, manifest.n_items):
        raise BundleCorrupt(
            f"bundle {folder}: manifest names {manifest.n_items} items and {manifest.n_subjects} subjects, "
            f"files hold {sizes[0]} and {sizes[1]}; publish again or roll back"
        )
    return bundle


def verify_bundle(folder: Path) -> Manifest:
    """The manifest of a bundle, after checking that every file it names is there and unchanged.

    Raises:
        BundleCorrupt: The manifest cannot be read, or a file is missing or has another size or checksum.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise BundleCorrupt(f"bundle {folder}: {name} is missing; publish again or roll back")
        found = _file_of(path)
        if found != expected:
            raise BundleCorrupt(
                f"bundle {folder}: {name} has {found.bytes} bytes and SHA-256 {found.sha256[:12]}..., "
                f"the manifest says {expected.bytes} and {expected.sha256[:12]}...; publish again or roll back"
            )
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle, without checking the files.

    Raises:
        BundleCorrupt: There is none, or it cannot be read.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise BundleCorrupt(f"bundle {folder}: {MANIFEST} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleCorrupt(f"bundle {folder}: {MANIFEST} is not a manifest: {error}") from error
    if manifest.format not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise BundleCorrupt(f"bundle {folder}: format {manifest.format}; this version of Heed reads formats {known}")
    return manifest


def _require_finite(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """A score of NaN would leave a list empty or end its order, so such a model is neither published nor served."""
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = int(np.count_nonzero(~np.isfinite(values)))
            raise LearningError(f"{name}: {bad} of {values.size} values of the model are no finite numbers")


def _history_arrays(histories: InteractionMatrix) -> dict[str, npt.NDArray[Any]]:
    return {f"{HISTORY}{name}": getattr(histories, name) for name in HISTORY_ARRAYS}


def _load_model(folder: Path, manifest: Manifest, index: ItemIndex, catalogue: pl.DataFrame) -> Model:
    """The model by its registered name, from every array that is no history's."""
    names = [name.removesuffix(ARRAY) for name in manifest.files if name.endswith(ARRAY)]
    arrays = {name: _array(folder, name) for name in names if not name.startswith(HISTORY)}
    _require_finite(arrays)
    available = catalogue["available"].to_numpy()
    config = manifest.parameters if manifest.model is None else manifest.model
    return load_model(manifest.recommender, index, arrays, config, available=available)


def _array(folder: Path, name: str, *, mapped: bool = False) -> Any:  # noqa: ANN401 - an array of the file's type
    # a plain array view of the mapped file: slicing numpy's memmap class costs several times as much
    return np.asarray(np.load(folder / f"{name}{ARRAY}", mmap_mode="r" if mapped else None, allow_pickle=False))


def _file_of(path: Path) -> BundleFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return BundleFile(sha256=digest.hexdigest(), bytes=path.stat().st_size)
