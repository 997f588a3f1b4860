"""Vectors of items from their texts: TF-IDF of words and categories, reduced by a truncated SVD."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from models.recommenders.kernels.matrix import Floats

WORD = re.compile(r"[^\W_]{2,}")
MOST_COMMON_SHARE = 0.5
"""Terms of more items than this share tell nothing apart."""


def terms_of(text: str) -> list[str]:
    """Words of two letters or more, folded to lower case."""
    return WORD.findall(text.casefold())


def tf_idf(documents: Sequence[Sequence[str]]) -> sparse.csr_array:
    """Documents x terms: 1 + log(count) times the inverse document frequency, rows of length 1.

    Terms that occur in one document alone are left out: they link it to nothing.
    """
    vocabulary = {term: place for place, term in enumerate(sorted({term for terms in documents for term in terms}))}
    rows = [row for row, terms in enumerate(documents) for _ in terms]
    columns = [vocabulary[term] for terms in documents for term in terms]
    shape = (len(documents), len(vocabulary))
    counts = sparse.csr_array(sparse.coo_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape))
    counts.sum_duplicates()
    frequency = np.bincount(counts.indices, minlength=shape[1])
    kept = np.flatnonzero((frequency > 1) & (frequency <= max(MOST_COMMON_SHARE * len(documents), 2)))
    weighted = sparse.csr_array(counts[:, kept])
    weighted.data = (1.0 + np.log(weighted.data)).astype(np.float32)
    idf = np.log((1.0 + len(documents)) / (1.0 + frequency[kept])) + 1.0
    weighted.data *= idf[weighted.indices].astype(np.float32)
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    weighted.data /= np.repeat(np.maximum(length, 1e-9), np.diff(weighted.indptr)).astype(np.float32)
    return weighted


def reduced(weights: sparse.csr_array, rank: int, *, seed: int) -> Floats:
    """Documents x rank or fewer: their directions among the strongest singular vectors; zero without terms."""
    n, terms = weights.shape
    if min(n, terms) < 2 or not weights.nnz:
        return np.zeros((n, 1), dtype=np.float32)
    if rank >= min(n, terms):
        left, strength, _ = np.linalg.svd(weights.toarray().astype(np.float64), full_matrices=False)
    else:
        start = np.random.default_rng(seed).standard_normal(min(n, terms))
        left, strength, _ = linalg.svds(weights.astype(np.float64), k=rank, v0=start)
    vectors = left * strength
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Floats = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9).astype(np.float32)
    return directions
