"""Solve a user vector from a history against fixed item factors: Hu, Koren and Volinsky's user step, in numpy.

The same objective as Spark's implicit ALS, so that a vector solved here is the one that a fit would give: an item
with strength v has confidence 1 + alpha * |v| in being wanted (v > 0) or not (v < 0), an item without has
confidence 1 in not, and the regularisation grows with the number of wanted items (as ALS-WR weighs it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Factors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class UserVector:
    """Somebody's vector, and the equation that it solves."""

    vector: Floats
    known: Floats
    """Factors of their history: history x rank."""
    left: Floats
    wanted: Floats
    """How much each item of the history is wanted; 0 for what is not."""

    def contributions(self, targets: Floats) -> Floats:
        """What each item of the history adds to the score of each target: targets x history.

        A row sums to the target's score, so the largest terms are its reasons (section 5 of the paper).
        """
        # the left side is symmetric: solving for the few targets equals solving for the long history
        added: Floats = (np.linalg.solve(self.left, targets.T).T @ self.known.T) * self.wanted
        return added


class FoldIn:
    """Solves vectors against fixed factors; holds what all solves share."""

    def __init__(self, factors: Factors, *, regularization: float, alpha: float) -> None:
        self.factors = factors
        self.regularization = regularization
        self.alpha = alpha
        self._gram: Floats = factors.T.astype(np.float64) @ factors.astype(np.float64)

    @property
    def rank(self) -> int:
        """Length of a vector."""
        return int(self.factors.shape[1])

    def user_vector(self, rows: Rows, strengths: Floats) -> UserVector | None:
        """The vector of one history, given as factor rows and strengths; None where nothing is wanted."""
        if not (strengths > 0).any():
            return None
        known = self.factors[rows].astype(np.float64)
        left, right = self._equation(known, strengths)
        vector = np.linalg.solve(left, right).astype(np.float64, copy=False)
        return UserVector(vector, known, left, wanted=np.where(strengths > 0, 1.0 + self.alpha * strengths, 0.0))

    def solve(self, rows: Rows, strengths: Floats) -> Floats:
        """The vector of one history; zero where nothing is wanted."""
        found = self.user_vector(rows, strengths)
        return np.zeros(self.rank) if found is None else found.vector

    def solve_all(self, indptr: npt.NDArray[np.int64], rows: Rows, strengths: Floats) -> Floats:
        """The vectors of many histories in compressed rows: one solve of a stack of small systems."""
        users = len(indptr) - 1
        left = np.empty((users, self.rank, self.rank))
        right = np.zeros((users, self.rank))
        factors = self.factors.astype(np.float64)
        for user in range(users):
            span = slice(indptr[user], indptr[user + 1])
            if (strengths[span] > 0).any():
                left[user], right[user] = self._equation(factors[rows[span]], strengths[span])
            else:
                left[user] = np.eye(self.rank)
        return np.linalg.solve(left, right[:, :, None])[:, :, 0].astype(np.float64, copy=False)

    def _equation(self, known: Floats, strengths: Floats) -> tuple[Floats, Floats]:
        wanted = strengths > 0
        extra = self.alpha * np.abs(strengths)
        left = self._gram + (known * extra[:, None]).T @ known
        left[np.diag_indices(self.rank)] += self.regularization * np.count_nonzero(wanted)
        right = known.T @ np.where(wanted, 1.0 + extra, 0.0)
        return left, right
