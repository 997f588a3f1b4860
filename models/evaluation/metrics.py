"""Metrics of lists by full ranking: every item that the person has not seen competes.

Defined as Microsoft Recommenders defines them, with binary relevance: a user counts if the test rows hold at least
one of their items; precision divides by k, recall and MAP by the user's number of relevant items, nDCG by the
best list that user could have had. `disliked` is ours: the share of slots spent on what the person turned out to
dislike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from feedback.errors import LearningError

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one recommender on one split, for lists of length k."""

    ndcg: float
    precision: float
    recall: float
    map: float
    coverage: float
    disliked: float
    users: int
    k: int

    def figures(self) -> Mapping[str, float]:
        """The metrics by name, without the sizes."""
        return {name: value for name, value in asdict(self).items() if name not in ("users", "k")}


def ndcg(hits: Mask, relevant: Counts) -> Floats:
    """Discounted gain of each list over that of the best list possible."""
    k = hits.shape[1]
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(relevant, k)]
    return _divided(hits @ discount, best)


def precision(hits: Mask) -> Floats:
    """Share of the k slots that hit; slots that stay empty miss."""
    share: Floats = hits.mean(axis=1)
    return share


def recall(hits: Mask, relevant: Counts) -> Floats:
    """Share of the relevant items that the list holds."""
    return _divided(hits.sum(axis=1).astype(np.float64), relevant)


def average_precision(hits: Mask, relevant: Counts) -> Floats:
    """Sum of the precision at each hit, over the number of relevant items."""
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return _divided((precision_at * hits).sum(axis=1), relevant)


@dataclass(frozen=True)
class Truth:
    """The test items of users, in compressed rows of item positions that rise within a user."""

    indptr: Counts
    items: npt.NDArray[np.integer]
    disliked: Mask
    """For each of `items`, whether the preference was negative."""
    n_items: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Counts:
        """Relevant items per user."""
        return np.diff(self.indptr)

    def of_users(self, chosen: Mask) -> Truth:
        """The same for some of the users."""
        kept = np.repeat(chosen, self.counts)
        indptr = np.concatenate([[0], np.cumsum(self.counts[chosen])]).astype(np.int64)
        return Truth(indptr, self.items[kept], self.disliked[kept], self.n_items)

    def hits(self, lists: npt.NDArray[np.integer]) -> tuple[Mask, Mask]:
        """Which slots of the lists (users x k, -1 where empty) hold a relevant item, and which a disliked one."""
        users = np.repeat(np.arange(len(self)), self.counts)
        keys = users * self.n_items + self.items
        wanted = np.arange(len(self))[:, None] * self.n_items + lists
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hits: Mask = (keys[places] == wanted) & (lists >= 0)
        return hits, hits & self.disliked[places]


def measure(lists: npt.NDArray[np.integer], truth: Truth) -> Metrics:
    """All figures of some lists, see `measure_lists`."""
    return measure_lists(lists, truth)[0]


def measure_lists(lists: npt.NDArray[np.integer], truth: Truth) -> tuple[Metrics, Floats]:
    """All figures of some lists, and the nDCG of each list that counts.

    Args:
        lists: Users x k positions of items, best first, -1 where a list ends early.
        truth: Of the same users; those without a relevant item do not count.

    Raises:
        LearningError: Nothing can be measured: k is 0, or no user has a relevant item.
    """
    judged = truth.counts > 0
    if lists.shape[1] == 0 or not judged.any():
        raise LearningError(
            f"cannot measure {lists.shape[0]} lists of length {lists.shape[1]}: "
            f"{int(judged.sum())} users have test items; at least one user and k >= 1 are needed"
        )
    hits, disliked = (mask[judged] for mask in truth.hits(lists))
    counts, lists = truth.counts[judged], lists[judged]
    gains = ndcg(hits, counts)
    metrics = Metrics(
        ndcg=float(gains.mean()),
        precision=float(precision(hits).mean()),
        recall=float(recall(hits, counts).mean()),
        map=float(average_precision(hits, counts).mean()),
        coverage=len(np.unique(lists[lists >= 0])) / truth.n_items,
        disliked=float(disliked.mean()),
        users=len(lists),
        k=lists.shape[1],
    )
    return metrics, gains


def _divided(numerator: Floats, denominator: Counts | Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
