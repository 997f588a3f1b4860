"""How often two items are chosen by the same person, and how close together in time.

The Gram matrix of neighbourhood models. What was chosen within minutes belongs together more than what one person
chose in two years, so pairs of one person count by `exp(-gap / tau)`, averaged over several `tau`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.recommenders.kernels.matrix import Counts, Doubles, Floats, Mask, PreferenceMatrix

NEGLIGIBLE = 5.0
"""Pairs further apart than this many tau count nothing: exp(-5) is below one percent."""


@dataclass(frozen=True, slots=True)
class TimeKernel:
    """How co-occurrence is counted."""

    share: float = 0.6
    """Of the count that depends on the gap in time; the rest counts every pair of a person alike."""
    tau_seconds: tuple[float, ...] = (60.0, 600.0)


def dense_gram(matrix: PreferenceMatrix, kernel: TimeKernel | None = None) -> Floats:
    """Items x items: weighted people who chose both; the diagonal counts the people of an item.

    Without a kernel, or where no times are known, every pair of a person counts 1.
    """
    plain: Floats = (matrix.binary.T @ matrix.binary).toarray().astype(np.float32)
    if kernel is None or not np.isfinite(matrix.at).any():
        return plain
    n = matrix.n_items
    close = np.zeros(n * n, dtype=np.float64)
    for left, right, nearness in close_pairs(matrix, kernel.tau_seconds):
        close += np.bincount(left * np.int64(n) + right, weights=nearness, minlength=n * n)
    square = close.reshape(n, n)
    people = np.diag(np.diag(plain))
    gram: Floats = ((1.0 - kernel.share) * plain + kernel.share * (square + square.T + people)).astype(np.float32)
    return gram


def close_pairs(
    matrix: PreferenceMatrix, tau_seconds: Sequence[float], *, most_apart: int | None = None, least_pairs: int = 1 << 22
) -> Iterator[tuple[Counts, Counts, Doubles]]:
    """Pairs of items that one person chose close together, each once, and how near (0 to 1), in parts.

    Args:
        matrix: Who touched what; interactions without a time pair with none.
        tau_seconds: Scales of nearness, averaged.
        most_apart: Pairs with more of the person's interactions between them are left out; None: none are.
        least_pairs: Pairs in a part, at least, save for the last.
    """
    timed = np.flatnonzero(np.isfinite(matrix.at))
    order = timed[np.lexsort((matrix.at[timed], matrix.users[timed]))]
    users, items, at = matrix.users[order], matrix.items[order].astype(np.int64), matrix.at[order]
    reach = NEGLIGIBLE * max(tau_seconds)
    first = np.arange(len(order))
    parts: list[tuple[Counts, Counts, Doubles]] = []
    held, apart = 0, 0
    while len(first) and (most_apart is None or apart < most_apart):
        apart += 1
        first = first[first + apart < len(order)]
        second = first + apart
        # gaps grow with the distance, so who is too far now stays so
        near = (users[first] == users[second]) & (at[second] - at[first] <= reach)
        first, second = first[near], second[near]
        gap = at[second] - at[first]
        parts.append((items[first], items[second], np.mean([np.exp(-gap / tau) for tau in tau_seconds], axis=0)))
        held += len(first)
        if held >= least_pairs:
            yield _joined(parts)
            parts, held = [], 0
    if held:
        yield _joined(parts)


def _joined(parts: Sequence[tuple[Counts, Counts, Doubles]]) -> tuple[Counts, Counts, Doubles]:
    left, right, nearness = zip(*parts, strict=True)
    return np.concatenate(left), np.concatenate(right), np.concatenate(nearness)


def sparse_gram(
    matrix: PreferenceMatrix,
    kernel: TimeKernel | None = None,
    *,
    kept: int = 500,
    latest: int = 100,
    block: int = 512,
) -> sparse.csr_array:
    """`dense_gram` for large catalogues: only the `kept` largest counts of each item, and always the diagonal.

    Args:
        matrix: Who touched what.
        kernel: How time counts; None counts every pair of a person alike.
        kept: Largest counts per item; the result is not exactly symmetric where that cuts.
        latest: Interactions of a person that pair with each other: the latest, so that nobody's pairs explode.
        block: Items whose counts are held in memory in full at once.
    """
    recent = matrix.where(latest_interactions(matrix, latest))
    chosen = recent.binary
    people = np.bincount(matrix.items, minlength=matrix.n_items).astype(np.float32)
    timed = kernel if kernel is not None and np.isfinite(matrix.at).any() else None
    near = _close_counts(recent, timed) if timed is not None else None
    plain_share = 1.0 - timed.share if timed is not None else 1.0
    by_item = chosen.T.tocsr()
    rows: list[sparse.csr_array] = []
    for start in range(0, matrix.n_items, block):
        stop = min(start + block, matrix.n_items)
        counts = (by_item[start:stop] @ chosen).toarray() * np.float32(plain_share)
        if timed is not None and near is not None:
            counts += near[start:stop].toarray() * np.float32(timed.share)
        counts[np.arange(stop - start), np.arange(start, stop)] = people[start:stop]
        rows.append(largest_of_rows(counts, kept, always=np.arange(start, stop)))
    return sparse.csr_array(sparse.vstack(rows, format="csr"))


def latest_interactions(matrix: PreferenceMatrix, latest: int) -> Mask:
    """Which interactions are among their person's latest ones; without times the last in the row are."""
    at = np.where(np.isfinite(matrix.at), matrix.at, -np.inf)
    order = np.lexsort((np.arange(matrix.nnz), at, matrix.users))
    from_end = np.repeat(matrix.indptr[1:], matrix.lengths) - np.arange(matrix.nnz)
    kept = np.zeros(matrix.nnz, dtype=np.bool_)
    kept[order] = from_end <= latest
    return kept


def largest_of_rows(values: Floats, kept: int, *, always: Counts | None = None) -> sparse.csr_array:
    """The `kept` largest values above 0 of each row, sparse; and each row's `always` column whatever it holds."""
    n_rows, n_columns = values.shape
    if kept < n_columns:
        cut = np.partition(values, n_columns - kept, axis=1)[:, n_columns - kept, None]
        chosen = (values >= cut) & (values > 0)
    else:
        chosen = values > 0
    if always is not None:
        chosen[np.arange(n_rows), always] = True
    rows, columns = np.nonzero(chosen)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return sparse.csr_array((values[rows, columns], columns.astype(np.int32), indptr), shape=values.shape)


def _close_counts(matrix: PreferenceMatrix, kernel: TimeKernel) -> sparse.csr_array:
    shape = (matrix.n_items, matrix.n_items)
    total = sparse.csr_array(shape, dtype=np.float32)
    for left, right, nearness in close_pairs(matrix, kernel.tau_seconds, least_pairs=1 << 24):
        part = sparse.coo_array((nearness.astype(np.float32), (left, right)), shape=shape).tocsr()
        total = total + part + part.T
    return sparse.csr_array(total)
