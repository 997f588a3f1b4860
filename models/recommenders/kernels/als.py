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
    rank = factors.shape[1]
    solved = np.zeros((len(indptr) - 1, rank), dtype=np.float32)
    gram = factors.T @ factors
    lengths = np.diff(indptr)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        rows = order[start : start + _batch(lengths[order[start:]], rank)]
        solved[rows] = _solve_batch(rows, indptr, columns, strengths, factors, gram, parameters)
        start += len(rows)
    return solved


def _batch(lengths: Counts, rank: int) -> int:
    """How many of the next rows, which rise in length, are padded to one length and solved together."""
    longest = max(int(lengths[0]) * 5 // 4, 4)
    alike = int(np.searchsorted(lengths, longest, side="right"))
    return max(min(alike, BATCH_CELLS // (rank * max(longest, rank))), 1)


def _solve_batch(
    rows: Counts, indptr: Counts, columns: np.ndarray, strengths: Floats, factors: Floats, gram: Floats,
    parameters: AlsParameters,
) -> Floats:  # fmt: skip
    lengths = indptr[rows + 1] - indptr[rows]
    offsets = np.arange(lengths.max())
    filled = offsets < lengths[:, None]
    places = np.where(filled, indptr[rows][:, None] + offsets, 0)
    extra = np.where(filled, parameters.alpha * strengths[places], np.float32(0.0)).astype(np.float32)
    known = factors[columns[places]]
    left = gram + np.matmul((known * extra[:, :, None]).transpose(0, 2, 1), known)
    diagonal = np.arange(factors.shape[1])
    left[:, diagonal, diagonal] += (parameters.regularization * lengths[:, None]).astype(np.float32)
    right = np.matmul(np.where(filled, 1.0 + extra, 0.0).astype(np.float32)[:, None, :], known)[:, 0]
    solved: Floats = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return solved
