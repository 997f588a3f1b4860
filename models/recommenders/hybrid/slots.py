"""One list from two rankings: mostly taste, and a slot in ten for what is wanted lately.

Mixing scores serves neither aim: a weight that keeps taste loses what is new, and the other way round.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.recommenders.kernels.matrix import Counts

PER = 10
"""Slots are given in tenths of a list."""


def slots_of(n: int, tenths: int) -> int:
    """How many of n places are given to what is wanted lately; lists of less than half of ten have none, unless all."""
    if tenths >= PER:
        return n
    return min(int(n * tenths / PER + 0.5), n)


def composed(taste: Counts, lately: Counts, slots: npt.NDArray[np.integer]) -> Counts:
    """Lists of the length of `taste`: its best, and the last `slots` places from `lately`, nothing twice.

    Args:
        taste: People x n, best first, -1 where a list ends early.
        lately: The same people x n or more.
        slots: Per person, how many places `lately` fills.
    """
    n = taste.shape[1]
    lists = np.full(taste.shape, -1, dtype=np.int64)
    for row, given in enumerate(slots.tolist()):
        own = taste[row, : n - given]
        own = own[own >= 0]
        rest = [*lately[row].tolist(), *taste[row, n - given :].tolist()]
        taken = set(own.tolist())
        added: list[int] = []
        for item in rest:
            if len(added) == n - len(own):
                break
            if item >= 0 and item not in taken:
                taken.add(item)
                added.append(item)
        filled = [*own.tolist(), *added]
        lists[row, : len(filled)] = filled
    return lists
