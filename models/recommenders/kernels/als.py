"""Implicit alternating least squares in memory, with the objective and the steps of Spark's implicit ALS.

An interaction of strength v has confidence 1 + alpha * v in being wanted, all others confidence 1 in not, and the
regularisation grows with the number of interactions of the row that is solved (Hu, Koren, Volinsky 2008; ALS-WR).
Choosing parameters and weights takes tens of fits, which Spark's start-up costs would dominate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.kernels.matrix import Counts, Floats, PreferenceMatrix

BATCH_CELLS = 2_000_000
"""Gathered factor values at once: bounds memory to 8 MB per copy."""


@dataclass(frozen=True, slots=True)
class AlsParameters:
    """One fit."""

    rank: int = 32
    regularization: float = 0.16
    alpha: float = 0.25
    iterations: int = 12


def fit_item_factors(matrix: PreferenceMatrix, strengths: Floats, parameters: AlsParameters, *, seed: int) -> Floats:
    """Items x rank; zero for an item that nobody touched.

    Args:
        matrix: Who touched what.
        strengths: One per interaction, above 0.
        parameters: Of the fit.
        seed: Of the first factors, which have length 1 as Spark's do.
    """
    by_item = matrix.transposed(strengths)
    users = np.random.default_rng(seed).standard_normal((len(matrix), parameters.rank)).astype(np.float32)
    users /= np.linalg.norm(users, axis=1, keepdims=True)
    users[matrix.lengths == 0] = 0.0
    items = np.zeros((matrix.n_items, parameters.rank), dtype=np.float32)
    for _ in range(parameters.iterations):
        items = solve_rows(by_item[0], by_item[1], by_item[2], users, parameters)
        users = solve_rows(matrix.indptr, matrix.items, strengths, items, parameters)
    return items


def solve_rows(
    indptr: Counts, columns: np.ndarray, strengths: Floats, factors: Floats, parameters: AlsParameters
) -> Floats:
    """One half-step: the best row vectors against fixed column factors; zero for an empty row.

    Also the fold-in of people who were not there when the factors were fitted.
    """
    return RowSolver.of(factors).solve(indptr, columns, strengths, parameters)


@dataclass(frozen=True)
class RowSolver:
    """Solves rows against fixed factors; holds what all rows share, for serving to build once.

    The factors are turned so that their Gram matrix is diagonal: then a row shorter than the rank needs only a system
    of its own length.
    """

    factors: Floats
    gram: Floats
    back: Floats
    """Turns a solved vector back."""

    @classmethod
    def of(cls, factors: Floats) -> RowSolver:
        """For some factors, items x rank."""
        values, vectors = np.linalg.eigh(factors.astype(np.float64).T @ factors)
        turned = (factors @ vectors).astype(np.float32)
        return cls(turned, np.maximum(values, 0.0).astype(np.float32), vectors.T.astype(np.float32))

    def solve(self, indptr: Counts, columns: np.ndarray, strengths: Floats, parameters: AlsParameters) -> Floats:
        """`solve_rows` against these factors."""
        solved: Floats = self.place(indptr, columns, strengths, parameters) @ self.back
        return solved

    def place(self, indptr: Counts, columns: np.ndarray, strengths: Floats, parameters: AlsParameters) -> Floats:
        """Row vectors among the turned `factors`; their products are those of `solve` with the factors as they were."""
        rank = self.factors.shape[1]
        solved = np.zeros((len(indptr) - 1, rank), dtype=np.float32)
        lengths = np.diff(indptr)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        start = 0
        while start < len(order):
            rows = order[start : start + _batch(lengths[order[start:]], rank)]
            solved[rows] = _solve_batch(rows, indptr, columns, strengths, self, parameters)
            start += len(rows)
        return solved


def _batch(lengths: Counts, rank: int) -> int:
    """How many of the next rows, which rise in length, are padded to one length and solved together."""
    longest = max(int(lengths[0]) * 5 // 4, 4)
    alike = int(np.searchsorted(lengths, longest, side="right"))
    return max(min(alike, BATCH_CELLS // (rank * max(longest, rank))), 1)


def _solve_batch(
    rows: Counts, indptr: Counts, columns: np.ndarray, strengths: Floats, shared: RowSolver, parameters: AlsParameters
) -> Floats:
    lengths = indptr[rows + 1] - indptr[rows]
    offsets = np.arange(lengths.max())
    filled = offsets < lengths[:, None]
    places = np.where(filled, indptr[rows][:, None] + offsets, 0)
    extra = np.where(filled, parameters.alpha * strengths[places], np.float32(0.0)).astype(np.float32)
    known = shared.factors[columns[places]]
    right = np.matmul(np.where(filled, 1.0 + extra, 0.0).astype(np.float32)[:, None, :], known)[:, 0]
    diagonal = shared.gram + (parameters.regularization * lengths[:, None]).astype(np.float32)
    weighted = known * np.sqrt(extra)[:, :, None]
    short = len(offsets) < shared.factors.shape[1]
    return _solved_short(diagonal, weighted, right) if short else _solved_long(diagonal, weighted, right)


def _solved_long(diagonal: Floats, weighted: Floats, right: Floats) -> Floats:
    """Solve (diagonal + weighted' weighted) x = right for each row of a batch."""
    left = np.matmul(weighted.transpose(0, 2, 1), weighted)
    place = np.arange(diagonal.shape[1])
    left[:, place, place] += diagonal
    solved: Floats = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return solved


def _solved_short(diagonal: Floats, weighted: Floats, right: Floats) -> Floats:
    """The same by Woodbury's identity: a system of the history's length, where that is less than the rank."""
    first = right / diagonal
    carried = weighted / diagonal[:, None, :]
    inner = np.matmul(carried, weighted.transpose(0, 2, 1))
    place = np.arange(inner.shape[1])
    inner[:, place, place] += 1.0
    correction = np.linalg.solve(inner, np.matmul(weighted, first[:, :, None]))
    solved: Floats = first - np.matmul(carried.transpose(0, 2, 1), correction)[:, :, 0]
    return solved
