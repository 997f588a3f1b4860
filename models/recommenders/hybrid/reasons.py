"""Why an item is listed: what each item of a history adds to its taste score."""

from __future__ import annotations

import numpy as np

from models.recommenders.foldin import FoldIn
from models.recommenders.hybrid.parts import HybridParts
from models.recommenders.kernels.matrix import Counts, Doubles, PreferenceMatrix

FLAT = 1e-6


def contributions(parts: HybridParts, history: PreferenceMatrix, targets: Counts) -> Doubles:
    """Targets x items of the history: their shares in factors and neighbourhood, on the scale of the taste score.

    Args:
        parts: What was fitted.
        history: One person.
        targets: Positions of the listed items.
    """
    parameters = parts.parameters
    share = 1.0 / (1.0 + parameters.taste_ease)
    added: Doubles = np.zeros((len(targets), history.nnz))
    for items, one in zip(parts.factors, parameters.factorisations, strict=True):
        fold_in = FoldIn(items, regularization=one.regularization, alpha=one.alpha)
        vector = fold_in.user_vector(history.items, history.stars.astype(np.float64))
        if vector is None:
            continue
        deviation = float((items @ vector.vector).std())
        if deviation > FLAT:
            own = vector.contributions(items[targets].astype(np.float64))
            added += share / len(parts.factors) * own / deviation
    neighbourhood = _neighbourhood(parts, history, targets)
    if neighbourhood is not None:
        added += (1.0 - share) * neighbourhood
    return added


def _neighbourhood(parts: HybridParts, history: PreferenceMatrix, targets: Counts) -> Doubles | None:
    ease = parts.ease
    if isinstance(ease, np.ndarray):
        carried, own = history.binary @ ease, ease[history.items][:, targets].T
    else:
        carried, own = (history.binary @ ease.T).toarray(), ease[targets][:, history.items].toarray()
    deviation = float(np.asarray(carried).std())
    return np.asarray(own, dtype=np.float64) / deviation if deviation > FLAT else None
