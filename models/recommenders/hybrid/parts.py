"""What a fit of the hybrid leaves: the arrays of each part, for a bundle and for lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.recommenders.arrays import sparse_arrays, sparse_of
from models.recommenders.hybrid.parameters import HybridParameters
from models.recommenders.kernels.als import RowSolver, fit_item_factors
from models.recommenders.kernels.cooccurrence import dense_gram, sparse_gram
from models.recommenders.kernels.dislike import rates
from models.recommenders.kernels.ease import dense_ease, neighbour_ease
from models.recommenders.kernels.explicit import ExplicitModel, ExplicitParameters, fit_explicit
from models.recommenders.kernels.matrix import Floats, PreferenceMatrix
from models.recommenders.kernels.trending import log_wants, newness

Arrays = Mapping[str, npt.NDArray[Any]]

PARTS = ("factors", "ease", "explicit", "people")
"""The parts that take long."""
LEAST_PEOPLE = 3
"""Of an item in the sparse neighbourhood."""
NEIGHBOURS_AMONG = 20_000
"""People that newcomers are compared with: those active last, where there are more."""


@dataclass(frozen=True)
class HybridParts:
    """The fitted parts."""

    parameters: HybridParameters
    factors: tuple[Floats, ...]
    """Items x rank, one per factorisation."""
    ease: sparse.csr_array | Floats
    """Dense: source x target. Sparse: target x source."""
    explicit: ExplicitModel
    dislike_rates: Floats
    """Log odds of a dislike by item."""
    dislike_rate: float
    """Share of dislikes over all."""
    log_wants: Floats
    newness: Floats
    people: sparse.csr_array
    """Who chose what, for newcomers to be compared with."""

    @property
    def n_items(self) -> int:
        """Items that can be listed."""
        return len(self.log_wants)

    @cached_property
    def solvers(self) -> tuple[RowSolver, ...]:
        """Place histories among the factors of each factorisation."""
        return tuple(map(RowSolver.of, self.factors))

    @cached_property
    def ease_by_source(self) -> sparse.csr_array | Floats:
        """The neighbourhood, source x target."""
        return self.ease if isinstance(self.ease, np.ndarray) else self.ease.T.tocsr()

    @cached_property
    def people_by_item(self) -> sparse.csr_array:
        """Items x the people that newcomers are compared with."""
        return self.people.T.tocsr()

    @cached_property
    def shares(self) -> Floats:
        """Share of those people who chose each item."""
        chosen = np.bincount(self.people.indices, minlength=self.n_items)
        shares: Floats = (chosen / max(self.people.shape[0], 1)).astype(np.float32)
        return shares


def fit_parts(
    matrix: PreferenceMatrix,
    parameters: HybridParameters,
    *,
    seed: int,
    factorise: Callable[[PreferenceMatrix, HybridParameters, int], Sequence[Floats]] | None = None,
    now: float | None = None,
    only: Sequence[str] = PARTS,
) -> HybridParts:
    """Fit the parts on the same interactions.

    Args:
        matrix: Who liked what, when.
        parameters: What was chosen.
        seed: Of all fits.
        factorise: Fits the factorisations elsewhere, such as on Spark; None: in memory.
        now: Seconds since 1970 that age is counted from; None: the last interaction.
        only: Which of the costly parts are fitted; scores of the others must not be asked for.
    """
    fit_factors = factorise or factorised
    rates_of_items, rate = rates(matrix)
    return HybridParts(
        parameters=parameters,
        factors=tuple(fit_factors(matrix, parameters, seed)) if "factors" in only else (),
        ease=neighbourhood(matrix, parameters) if "ease" in only else np.zeros((0, 0), dtype=np.float32),
        explicit=fit_explicit(
            matrix if "explicit" in only else matrix.take(np.arange(0)), ExplicitParameters(), seed=seed
        ),
        dislike_rates=rates_of_items,
        dislike_rate=rate,
        log_wants=log_wants(matrix, parameters.half_life_days, now=now),
        newness=newness(matrix, now=now),
        people=comparable_people(matrix if "people" in only else matrix.take(np.arange(0))),
    )


def factorised(matrix: PreferenceMatrix, parameters: HybridParameters, seed: int) -> list[Floats]:
    """The item factors of each factorisation, in memory."""
    return [
        fit_item_factors(matrix, matrix.stars, one, seed=seed + place)
        for place, one in enumerate(parameters.factorisations)
    ]


def neighbourhood(matrix: PreferenceMatrix, parameters: HybridParameters) -> sparse.csr_array | Floats:
    """The neighbourhood model: dense, or sparse where `ease_neighbours` says so."""
    if parameters.ease_neighbours <= 0:
        return dense_ease(dense_gram(matrix, parameters.kernel), parameters.ease_regularization)
    gram = sparse_gram(
        matrix, parameters.kernel, kept=max(4 * parameters.ease_neighbours, 400), latest=parameters.latest
    )
    return neighbour_ease(
        gram, parameters.ease_regularization, neighbours=parameters.ease_neighbours, least_people=LEAST_PEOPLE
    )


def comparable_people(matrix: PreferenceMatrix) -> sparse.csr_array:
    """Who chose what, of the people active last and with at least two items."""
    able = np.flatnonzero(matrix.lengths >= 2)
    if len(able) > NEIGHBOURS_AMONG:
        at = np.where(np.isfinite(matrix.at), matrix.at, -np.inf)
        last = np.maximum.reduceat(at, matrix.indptr[:-1][able])
        able = np.sort(able[np.argsort(-last, kind="stable")[:NEIGHBOURS_AMONG]])
    return matrix.take(able).binary


def arrays_of(parts: HybridParts) -> dict[str, npt.NDArray[Any]]:
    """The parts as named arrays, for a bundle; `parts_from` reads them."""
    arrays: dict[str, npt.NDArray[Any]] = {f"factors_{at}": part for at, part in enumerate(parts.factors)}
    if isinstance(parts.ease, np.ndarray):
        arrays["ease_dense"] = parts.ease
    else:
        arrays |= sparse_arrays("ease", parts.ease)
    return arrays | sparse_arrays("people", parts.people) | {
        "explicit_bias": parts.explicit.item_bias,
        "explicit_factors": parts.explicit.item_factors,
        "explicit_mean": np.array([parts.explicit.mean]),
        "dislike_rates": parts.dislike_rates,
        "dislike_rate": np.array([parts.dislike_rate]),
        "log_wants": parts.log_wants,
        "newness": parts.newness,
    }  # fmt: skip


def parts_from(arrays: Arrays, parameters: HybridParameters) -> HybridParts:
    """Parts as `arrays_of` stored them.

    Raises:
        KeyError: An array is missing.
        ValueError: An array holds NaN or does not fit the others.
    """
    wants = arrays["log_wants"]
    n = len(wants)
    factors = tuple(arrays[f"factors_{at}"] for at in range(len(parameters.factorisations)))
    dense = arrays.get("ease_dense")
    ease = dense if dense is not None else sparse_of("ease", arrays, columns=n)
    explicit = ExplicitModel(
        float(arrays["explicit_mean"][0]), arrays["explicit_bias"], arrays["explicit_factors"], ExplicitParameters()
    )
    people = sparse_of("people", arrays, columns=n)
    by_item = (*factors, explicit.item_bias, explicit.item_factors, arrays["dislike_rates"], arrays["newness"], wants)
    for array in (*by_item, ease if isinstance(ease, np.ndarray) else ease.data):
        if not np.isfinite(array).all():
            raise ValueError("an array of the hybrid holds values that are not finite")
    if any(len(array) != n for array in by_item) or ease.shape != (n, n):
        raise ValueError(f"the arrays of the hybrid do not fit {n} items: {[array.shape for array in by_item]}")
    return HybridParts(
        parameters=parameters,
        factors=factors,
        ease=ease,
        explicit=explicit,
        dislike_rates=arrays["dislike_rates"],
        dislike_rate=float(arrays["dislike_rate"][0]),
        log_wants=wants,
        newness=arrays["newness"],
        people=people,
    )
