"""Published bundles side by side, and the pointer to the one that serving reads.

A bundle appears under its version only when it is whole and on disk, and is served from the moment the pointer is
replaced, so a crash at any point leaves either the old state or the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from feedback.errors import BundleCorrupt, NoModel
from models.bundle import Bundle, Manifest, Provenance, load_bundle, read_manifest, verify_bundle, write_bundle
from models.recommender import Model

POINTER = "current.json"
PARTIAL = ".partial"


class Pointer(msgspec.Struct, frozen=True):
    """Which version is served, and which were served before it, the latest last."""

    version: str
    before: list[str] = []


class BundleStore:
    """The bundles of one home."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self,
        model: Model,
        *,
        name: str,
        parameters: Mapping[str, float | int | str | bool],
        interactions: pl.DataFrame,
        items: pl.DataFrame,
        provenance: Provenance,
    ) -> Manifest:
        """Write a bundle under a new version and let serving read it."""
        self.root.mkdir(parents=True, exist_ok=True)
        version = self._new_version(provenance.created_at)
        partial = self.root / f"{version}{PARTIAL}"
        shutil.rmtree(partial, ignore_errors=True)
        manifest = write_bundle(
            partial,
            model,
            name=name,
            parameters=parameters,
            interactions=interactions,
            items=items,
            provenance=provenance,
        )
        for path in (*partial.iterdir(), partial):
            _sync(path)
        partial.rename(self.root / version)
        _sync(self.root)
        self._point_to(version)
        return manifest

    def current_version(self) -> str | None:
        """The version that the pointer names, or None before the first publication."""
        pointer = self._pointer()
        return None if pointer is None else pointer.version

    def load(self, version: str | None = None) -> Bundle:
        """Check and load a bundle, by default the current one.

        Raises:
            NoModel: Nothing has been published, or there is no such version.
            BundleCorrupt: A file is missing or changed.
        """
        wanted = version or self.current_version()
        if wanted is None:
            raise NoModel(f"no model has been published in {self.root}; run `heed run` to learn and publish one")
        if not self._folder(wanted).is_dir():
            raise NoModel(f"no bundle {wanted} in {self.root}; there are: {', '.join(self.versions()) or 'none'}")
        return load_bundle(self._folder(wanted))

    def versions(self) -> list[str]:
        """Every version on disk, the oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and path.suffix != PARTIAL)

    def manifests(self) -> list[Manifest]:
        """The manifests of all versions that can be read, the oldest first."""
        found: list[Manifest] = []
        for version in self.versions():
            try:
                found.append(read_manifest(self._folder(version)))
            except BundleCorrupt:
                continue  # `load` and `rollback` say what is wrong with it
        return found

    def learned_positions(self) -> dict[int, int] | None:
        """Per log partition, the offset below which every bundle kept knows all; `None` where there is no bundle."""
        known = [manifest.positions for manifest in self.manifests()]
        if not known:
            return None
        partitions = {partition for positions in known for partition in positions}
        return {partition: min(positions.get(partition, 0) for positions in known) for partition in partitions}

    def rollback(self, to: str | None = None) -> str:
        """Serve an earlier version again: the one served before the current, or a given one.

        Raises:
            NoModel: There is no earlier version, or not that one.
            BundleCorrupt: It is damaged; the pointer stays where it is.
        """
        pointer = self._pointer()
        served = [] if pointer is None else [v for v in pointer.before if self._folder(v).is_dir()]
        target = to or (served[-1] if served else None)
        if target is None:
            raise NoModel(f"no earlier bundle in {self.root} to go back to")
        if not self._folder(target).is_dir():
            raise NoModel(f"no bundle {target} in {self.root}; there are: {', '.join(self.versions()) or 'none'}")
        verify_bundle(self._folder(target))
        before = served[: served.index(target)] if target in served else served
        self._write_pointer(Pointer(target, before))
        return target

    def prune(self, *, keep: int) -> list[str]:
        """Remove the oldest bundles beyond `keep`, and what crashed publications left; never the current one."""
        pointer = self._pointer()
        spared = set() if pointer is None else {pointer.version, *pointer.before[-1:]}
        versions = self.versions()
        removed = [version for version in versions[: max(len(versions) - keep, 0)] if version not in spared]
        for version in removed:
            shutil.rmtree(self._folder(version))
        if self.root.is_dir():
            for partial in self.root.glob(f"*{PARTIAL}"):
                shutil.rmtree(partial, ignore_errors=True)
        return removed

    def _folder(self, version: str) -> Path:
        if Path(version).name != version:
            raise NoModel(f"{version!r} is not the name of a bundle")
        return self.root / version

    def _new_version(self, created_at: datetime) -> str:
        stamp = created_at.strftime("%Y%m%dT%H%M%SZ")
        taken = set(self.versions())
        serial = 1
        while f"{stamp}-{serial:03d}" in taken:
            serial += 1
        return f"{stamp}-{serial:03d}"

    def _point_to(self, version: str) -> None:
        try:
            pointer = self._pointer()
        except BundleCorrupt:  # a new publication is what mends it
            pointer = None
        before = [] if pointer is None else [*pointer.before, pointer.version]
        self._write_pointer(Pointer(version, [v for v in before if self._folder(v).is_dir()]))

    def _pointer(self) -> Pointer | None:
        try:
            return msgspec.json.decode((self.root / POINTER).read_bytes(), type=Pointer)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise BundleCorrupt(
                f"{self.root / POINTER} cannot be read: {error}; publish again with `heed run`"
            ) from error

    def _write_pointer(self, pointer: Pointer) -> None:
        fresh = self.root / f"{POINTER}.new"
        fresh.write_bytes(msgspec.json.encode(pointer))
        _sync(fresh)
        fresh.replace(self.root / POINTER)
        _sync(self.root)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
