"""EASE: each item is predicted from all others by one ridge regression (Steck 2019), dense or from best neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from models.recommenders.kernels.matrix import Floats, Places


def dense_ease(gram: Floats, regularization: float) -> Floats:
    """Items x items: how much column item is wanted by who has the row item; the diagonal is zero."""
    left = gram.astype(np.float64)
    left[np.diag_indices_from(left)] += regularization
    inverse = linalg.inv(left, overwrite_a=True, check_finite=False)
    weights: Floats = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0.0)
    return weights


def neighbour_ease(
    gram: sparse.csr_array, regularization: float, *, neighbours: int = 150, least_people: int = 1
) -> sparse.csr_array:
    """`dense_ease` from each item's best neighbours only: one small ridge regression per item.

    Equal to `dense_ease` where all pairs of items have a count and all are neighbours. Items x items by target: row `j`
    holds what each neighbour says about wanting item `j`, so the transpose takes the place of the dense weights.

    Args:
        gram: Items x items of `cooccurrence.sparse_gram`; what it leaves out counts 0.
        regularization: Added to the diagonal.
        neighbours: Items that each item is predicted from: those with the highest cosine.
        least_people: Items with fewer people neither predict nor are predicted; in a long tail they are most.
    """
    n = gram.shape[0]
    diagonal = gram.diagonal().astype(np.float32)
    common = diagonal >= least_people
    length = np.sqrt(np.maximum(diagonal, 1.0))
    place_of = np.full(n, -1, dtype=np.int64)
    data: list[Floats] = []
    columns: list[Places] = []
    for item in range(n):
        span = slice(gram.indptr[item], gram.indptr[item + 1])
        others, counts = gram.indices[span], gram.data[span]
        able = (others != item) & common[others] & common[item]
        others, counts = others[able], counts[able]
        if len(others) > neighbours:
            best = np.argpartition(-counts / length[others], neighbours)[:neighbours]
            others, counts = others[best], counts[best]
        if len(others):
            left = _submatrix(gram, others, place_of)
            left[np.diag_indices(len(others))] += np.float32(regularization)
            counts = np.linalg.solve(left, counts).astype(np.float32)
        data.append(counts)
        columns.append(others.astype(np.int32))
    indptr = np.concatenate([[0], np.cumsum([len(found) for found in columns])])
    return sparse.csr_array((np.concatenate(data), np.concatenate(columns), indptr), shape=(n, n))


def _submatrix(gram: sparse.csr_array, chosen: Places, place_of: npt.NDArray[np.int64]) -> Floats:
    """Dense rows and columns of some items, made symmetric where the sparse counts were cut."""
    place_of[chosen] = np.arange(len(chosen))
    starts, stops = gram.indptr[chosen].astype(np.int64), gram.indptr[chosen + 1].astype(np.int64)
    lengths = stops - starts
    entries = np.arange(lengths.sum()) + np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    column = place_of[gram.indices[entries]]
    inside = column >= 0
    square = np.zeros((len(chosen), len(chosen)), dtype=np.float32)
    square[np.repeat(np.arange(len(chosen)), lengths)[inside], column[inside]] = gram.data[entries[inside]]
    place_of[chosen] = -1
    symmetric: Floats = np.maximum(square, square.T)
    return symmetric
