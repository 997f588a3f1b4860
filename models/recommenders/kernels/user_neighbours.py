"""What people with a similar history chose: the strongest evidence after one to a few events."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from models.recommenders.kernels.matrix import Floats

SHRINK_LENGTH = 10.0
"""People with a short history are like everybody by chance; this many interactions are added to each length."""


def similar_people(
    queries: sparse.csr_array, people: sparse.csr_array, *, by_item: sparse.csr_array | None = None
) -> sparse.csr_array:
    """Queries x people: squared overlap over the shrunk length of the person; 0 without overlap.

    Args:
        queries: Histories to find neighbours of, one row each, 1 where something was chosen.
        people: Everybody in train, likewise.
        by_item: `people` transposed, where that is at hand.
    """
    overlap = sparse.csr_array(queries @ (people.T if by_item is None else by_item))
    lengths = np.diff(people.indptr).astype(np.float32) + np.float32(SHRINK_LENGTH)
    overlap.data = (overlap.data**2 / lengths[overlap.indices]).astype(np.float32)
    return overlap


def neighbour_shares(
    queries: sparse.csr_array,
    people: sparse.csr_array,
    prior: Floats,
    *,
    prior_weight: float,
    by_item: sparse.csr_array | None = None,
) -> Floats:
    """Queries x items: the share of similar people who chose each item, shrunk towards a prior share.

    Args:
        queries: Histories, one row each.
        people: Everybody in train.
        prior: Share of everybody who chose each item.
        prior_weight: How much similarity the prior counts for.
        by_item: `people` transposed, where that is at hand.
    """
    similarity = similar_people(queries, people, by_item=by_item)
    chosen = np.asarray((similarity @ people).todense(), dtype=np.float32)
    total = np.asarray(similarity.sum(axis=1)).reshape(-1, 1)
    shares: Floats = ((chosen + prior_weight * prior) / (total + prior_weight)).astype(np.float32)
    return shares
