"""Published bundles side by side, and the pointer to the one that serving reads.

A bundle appears under its version only when it is whole and on disk, and is served from the moment the pointer is
replaced, so a crash at any point leaves either the old state or the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from feedback.errors import BundleCorrupt, HomeInUse, NoModel, RollbackHolds
from lakehouse.file_lock import locked
from models.bundle.bundle import Bundle, Manifest, Provenance, load_bundle, read_manifest, verify_bundle, write_bundle
from models.bundle.pointer import Hold, Pointer, existing, published, released, rolled_back
from models.recommenders.recommender import Model

POINTER = "current.json"
PARTIAL = ".partial"
LOCK = ".pointer.lock"
LOCK_SECONDS = 30.0
"""Moving the pointer takes milliseconds: after so long the other process hangs."""


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
        """Write a bundle under a new version and let serving read it.

        Raises:
            RollbackHolds: A rollback holds, perhaps since this call began; nothing is left of the new bundle.
        """
        if (hold := self.hold()) is not None:
            raise RollbackHolds(hold.reason)
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
        try:
            self._point_to(version)
        except RollbackHolds:
            shutil.rmtree(self.root / version)
            raise
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

    def current_manifest(self) -> Manifest | None:
        """The manifest of what is served; None before the first publication.

        Raises:
            BundleCorrupt: The pointer or the manifest cannot be read.
        """
        version = self.current_version()
        return None if version is None else read_manifest(self._folder(version))

    def hold(self) -> Hold | None:
        """The rollback that holds, if one does; none where the pointer is damaged; the next publication replaces it."""
        try:
            pointer = self._pointer()
        except BundleCorrupt:
            return None
        return None if pointer is None else pointer.hold

    def rollback(self, to: str | None = None, *, at: datetime | None = None) -> str:
        """Serve an earlier version again, the one served before the current or a given one, until it is released.

        Args:
            to: The version; by default the one before the current.
            at: The time; by default now.

        Raises:
            NoModel: There is no earlier version, or not that one.
            BundleCorrupt: It is damaged; the pointer stays where it is.
        """
        if not self.root.is_dir():
            raise NoModel(f"no earlier bundle in {self.root} to go back to")
        with self._moving("a rollback"):
            pointer = self._existing()
            served = [] if pointer is None else pointer.before
            target = to or (served[-1] if served else None)
            if target is None:
                raise NoModel(f"no earlier bundle in {self.root} to go back to")
            if not self._folder(target).is_dir():
                raise NoModel(f"no bundle {target} in {self.root}; there are: {', '.join(self.versions()) or 'none'}")
            verify_bundle(self._folder(target))
            self._write_pointer(rolled_back(pointer, target, at=at or datetime.now(UTC)))
        return target

    def release(self) -> Hold | None:
        """Let runs publish again; returns what held until now. What serves goes on until a run publishes."""
        if not self.root.is_dir():
            return None
        with self._moving("a release"):
            pointer = self._pointer()
            if pointer is None or pointer.hold is None:
                return None
            self._write_pointer(released(pointer))
            return pointer.hold

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
        with self._moving("a publication"):
            try:
                pointer = self._existing()
            except BundleCorrupt:  # a new publication replaces it
                pointer = None
            if pointer is not None and pointer.hold is not None:
                raise RollbackHolds(pointer.hold.reason)
            self._write_pointer(published(pointer, version))

    def _moving(self, owner: str) -> AbstractContextManager[int]:
        """Lock the pointer against other processes."""
        what = f"the pointer of {self.root}"
        return locked(self.root / LOCK, what=what, owner=owner, wait_seconds=LOCK_SECONDS, busy=HomeInUse)

    def _existing(self) -> Pointer | None:
        pointer = self._pointer()
        return None if pointer is None else existing(pointer, self.versions())

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
