"""What somebody would rate an item: biases and factors of stated preferences, by alternating ridge regressions.

Says how much an item will be liked by who takes it; who takes it is for the implicit models to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.recommenders.kernels.matrix import Counts, Floats, PreferenceMatrix


@dataclass(frozen=True, slots=True)
class ExplicitParameters:
    """One fit."""

    rank: int = 8
    regularization: float = 5.0
    """Added to each person's and item's system, in interactions."""
    bias_regularization: float = 5.0
    iterations: int = 8


@dataclass(frozen=True)
class ExplicitModel:
    """Preference = mean + item bias + person bias + factors; what a fit leaves of the items' side."""

    mean: float
    item_bias: Floats
    item_factors: Floats
    parameters: ExplicitParameters

    def fold_in(self, indptr: Counts, items: np.ndarray, preference: Floats) -> tuple[Floats, Floats]:
        """Bias and vector of people from their histories in compressed rows; zero for an empty one."""
        residual = preference - np.float32(self.mean) - self.item_bias[items]
        bias = _biases(indptr, residual, self.parameters.bias_regularization)
        rest = residual - np.repeat(bias, np.diff(indptr))
        return bias, _ridge(indptr, items, rest, self.item_factors, self.parameters.regularization)

    def predict(self, bias: Floats, vectors: Floats) -> Floats:
        """People x items."""
        predicted: Floats = np.float32(self.mean) + self.item_bias + bias[:, None] + vectors @ self.item_factors.T
        return predicted


def fit_explicit(matrix: PreferenceMatrix, parameters: ExplicitParameters, *, seed: int) -> ExplicitModel:
    """Fit preferences; all zero on an empty matrix.

    Args:
        matrix: Who liked what.
        parameters: Of the fit.
        seed: Of the first factors.
    """
    mean = float(matrix.preference.mean()) if matrix.nnz else 0.0
    places = np.arange(matrix.nnz, dtype=np.float64)
    item_ptr, people, entry = matrix.transposed(places)  # type: ignore[arg-type]
    order = entry.astype(np.int64)
    residual = matrix.preference - np.float32(mean)
    item_bias = np.zeros(matrix.n_items, dtype=np.float32)
    bias = np.zeros(len(matrix), dtype=np.float32)
    for _ in range(2):
        item_bias = _biases(item_ptr, (residual - bias[matrix.users])[order], parameters.bias_regularization)
        bias = _biases(matrix.indptr, residual - item_bias[matrix.items], parameters.bias_regularization)
    rest = residual - item_bias[matrix.items] - bias[matrix.users]
    scale = np.float32(1.0 / np.sqrt(parameters.rank))
    vectors = np.random.default_rng(seed).standard_normal((len(matrix), parameters.rank)).astype(np.float32) * scale
    factors = np.zeros((matrix.n_items, parameters.rank), dtype=np.float32)
    for _ in range(parameters.iterations):
        factors = _ridge(item_ptr, people, rest[order], vectors, parameters.regularization)
        vectors = _ridge(matrix.indptr, matrix.items, rest, factors, parameters.regularization)
    return ExplicitModel(mean, item_bias, factors, parameters)


def _biases(indptr: Counts, values: Floats, regularization: float) -> Floats:
    lengths = np.diff(indptr)
    sums = np.bincount(np.repeat(np.arange(len(lengths)), lengths), weights=values, minlength=len(lengths))
    biases: Floats = (sums / (lengths + regularization)).astype(np.float32)
    return biases


def _ridge(indptr: Counts, columns: np.ndarray, targets: Floats, factors: Floats, regularization: float) -> Floats:
    rank = factors.shape[1]
    solved = np.zeros((len(indptr) - 1, rank), dtype=np.float32)
    penalty = np.float32(regularization) * np.eye(rank, dtype=np.float32)
    for row in range(len(indptr) - 1):
        span = slice(indptr[row], indptr[row + 1])
        known = factors[columns[span]]
        if len(known):
            solved[row] = np.linalg.solve(known.T @ known + penalty, known.T @ targets[span])
    return solved
