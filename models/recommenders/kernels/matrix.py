"""Who touched what, when and how they liked it: one compressed row per person, in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MIDDLE, STEP = 3.0, 2.0
"""A preference of -1 to 1 as stars: 1 is fully against, 5 fully for."""


@dataclass(frozen=True)
class PreferenceMatrix:
    """People x items in compressed rows: row `u` is `[indptr[u], indptr[u + 1])` of the columns."""

    indptr: Counts
    items: Places
    preference: Floats
    """From -1 (against) to 1 (for)."""
    weight: Floats
    """How much the interaction says; above 0."""
    at: Doubles
    """When it happened, in seconds since 1970; NaN where nobody knows."""
    wanted: Floats
    """How much it makes the item popular: 1 for a want, less for a middling rating, 0 for a dislike."""
    n_items: int

    @classmethod
    def from_columns(
        cls, users: Counts, items: Places, preference: Floats, weight: Floats, at: Doubles, wanted: Floats, *,
        n_users: int, n_items: int,
    ) -> PreferenceMatrix:  # fmt: skip
        """Sort rows by person and item; each (person, item) may occur once."""
        order = np.lexsort((items, users))
        counts = np.bincount(users, minlength=n_users)
        return cls(
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=items[order].astype(np.int32),
            preference=preference[order].astype(np.float32),
            weight=weight[order].astype(np.float32),
            at=at[order].astype(np.float64),
            wanted=wanted[order].astype(np.float32),
            n_items=n_items,
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """Interactions."""
        return len(self.items)

    @cached_property
    def users(self) -> Counts:
        """The person of each interaction."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @property
    def lengths(self) -> Counts:
        """Interactions per person."""
        return np.diff(self.indptr)

    @cached_property
    def stars(self) -> Floats:
        """Preferences from 1 to 5, so that what is disliked still counts as touched."""
        stars: Floats = (MIDDLE + STEP * self.preference).astype(np.float32)
        return stars

    @cached_property
    def binary(self) -> sparse.csr_array:
        """1 where somebody touched something."""
        return self.csr(np.ones(self.nnz, dtype=np.float32))

    def csr(self, values: Floats) -> sparse.csr_array:
        """The matrix with one value per interaction."""
        return sparse.csr_array((values, self.items, self.indptr), shape=(len(self), self.n_items))

    def where(self, kept: Mask) -> PreferenceMatrix:
        """The same people with some of their interactions."""
        lengths = np.bincount(self.users[kept], minlength=len(self))
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return self._picked(indptr, kept)

    def take(self, people: Counts) -> PreferenceMatrix:
        """Some people, in the order asked for."""
        lengths = self.lengths[people]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.arange(indptr[-1]) + np.repeat(self.indptr[people] - indptr[:-1], lengths)
        return self._picked(indptr, rows)

    def transposed(self, values: Floats) -> tuple[Counts, Counts, Floats]:
        """Columns as compressed rows: where each item starts, who touched it, and the values."""
        columns = self.csr(values).tocsc()
        return columns.indptr.astype(np.int64), columns.indices.astype(np.int64), columns.data

    def _picked(self, indptr: Counts, rows: Mask | Counts) -> PreferenceMatrix:
        columns = (self.items, self.preference, self.weight, self.at, self.wanted)
        items, preference, weight, at, wanted = (column[rows] for column in columns)
        return PreferenceMatrix(indptr, items, preference, weight, at, wanted, self.n_items)  # type: ignore[arg-type]
