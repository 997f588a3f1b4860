"""Small preference matrices whose right answers are known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.recommenders.kernels.matrix import PreferenceMatrix

Row = tuple[int, int, float, float]


def matrix_of(rows: Iterable[Row], *, n_users: int, n_items: int) -> PreferenceMatrix:
    """From (person, item, preference, seconds)."""
    table = np.array(list(rows), dtype=np.float64).reshape(-1, 4)
    preference = table[:, 2]
    return PreferenceMatrix.from_columns(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int32),
        preference.astype(np.float32),
        np.ones(len(table), dtype=np.float32),
        table[:, 3],
        np.where(preference < 0, 0.0, 1.0).astype(np.float32),
        n_users=n_users,
        n_items=n_items,
    )


def checkerboard(size: int = 20) -> PreferenceMatrix:
    """Even people like even items and odd people odd ones, each but the item of their own number."""
    rows = (
        (user, item, 1.0, 0.0)
        for user in range(size)
        for item in range(size)
        if user % 2 == item % 2 and user != item
    )  # fmt: skip
    return matrix_of(rows, n_users=size, n_items=size)


def random_matrix(seed: int, *, n_users: int = 40, n_items: int = 25, share: float = 0.25) -> PreferenceMatrix:
    """Anybody touches anything at any time within a day."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < share)
    rows = zip(users, items, rng.uniform(-1, 1, len(users)), rng.uniform(0, 86_400, len(users)), strict=True)
    return matrix_of(rows, n_users=n_users, n_items=n_items)  # type: ignore[arg-type]


def best_unseen(scores: np.ndarray, matrix: PreferenceMatrix) -> list[int]:
    """The first choice of everybody."""
    scores = np.array(scores, dtype=np.float64)
    scores[matrix.users, matrix.items] = -np.inf
    return [int(place) for place in scores.argmax(axis=1)]
