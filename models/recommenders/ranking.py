"""The best of a row of scores: exact, with ties broken by position, so that equal scores give equal lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def top_positions(scores: npt.NDArray[np.floating], n: int) -> npt.NDArray[np.intp]:
    """Positions of the n highest scores, best first; a score of -inf is never listed."""
    allowed = int(np.count_nonzero(scores > -np.inf))
    n = min(n, allowed)
    if n <= 0:
        return np.empty(0, dtype=np.intp)
    cut = np.partition(scores, len(scores) - n)[len(scores) - n]
    candidates = np.flatnonzero(scores >= cut)
    best = np.lexsort((candidates, -scores[candidates]))[:n]
    return candidates[best]
