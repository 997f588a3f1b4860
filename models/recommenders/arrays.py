"""Arrays of a model under names: sparse matrices as three of them, and the parts of a composed model by prefix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[Any]


def sparse_arrays(name: str, matrix: sparse.csr_array) -> dict[str, Array]:
    """A matrix in compressed rows as `<name>_values`, `<name>_columns` and `<name>_indptr`."""
    return {
        f"{name}_values": matrix.data,
        f"{name}_columns": matrix.indices.astype(np.int32),
        f"{name}_indptr": matrix.indptr.astype(np.int64),
    }


def sparse_of(name: str, arrays: Mapping[str, Array], *, columns: int) -> sparse.csr_array:
    """The matrix that `sparse_arrays` gave.

    Raises:
        KeyError: One of the three arrays is missing.
        ValueError: They do not fit each other.
    """
    values, positions, indptr = (arrays[f"{name}_{part}"] for part in ("values", "columns", "indptr"))
    return sparse.csr_array((values, positions, indptr), shape=(len(indptr) - 1, columns))


def prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of one part of a composed model, as the whole stores them: `<prefix>.<name>`."""
    return {f"{prefix}.{name}": values for name, values in arrays.items()}


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of one part by the part's own names; what `prefixed` was given."""
    start = f"{prefix}."
    return {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}
