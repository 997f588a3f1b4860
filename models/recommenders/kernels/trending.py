"""What is wanted lately and what is new: scores that need no history, from the wants of everybody.

Time is counted back from the last interaction, not from the clock, so that a repeat is equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.preferences import FULL_PREFERENCE
from models.recommenders.kernels.matrix import Doubles, Floats, PreferenceMatrix
from models.recommenders.popularity import PRIOR_PEOPLE

DAY_SECONDS = 86_400.0
HALF_LIVES_DAYS = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 14.0, 30.0, 60.0, 120.0, 365.0, 1500.0)
"""What a half-life is chosen from: what is wanted changes within hours in the news and within years for instruments."""
FLOOR = 1e-3
"""Wants below this are alike."""


def decayed_wants(matrix: PreferenceMatrix, half_life_days: float, *, now: float | None = None) -> Doubles:
    """People who want each item, each counted half for every half-life since; 0 or more.

    Who dislikes an item does not count, and where dislikes outnumber likes the sum is cut by twice the shrunk share
    of likes. Interactions without a time count as now.

    Args:
        matrix: Who wanted what, when.
        half_life_days: Of a want.
        now: Seconds since 1970 that age is counted from; None: the last interaction.
    """
    liked = np.clip(matrix.preference / FULL_PREFERENCE, 0.0, 1.0)
    disliked = np.clip(-matrix.preference / FULL_PREFERENCE, 0.0, 1.0)
    faded = np.exp2(-ages_days(matrix, now) / half_life_days)
    wanted = matrix.wanted.astype(np.float64)
    sums = [np.bincount(matrix.items, weights=faded * by, minlength=matrix.n_items) for by in (wanted, liked, disliked)]
    stated = float((sums[1] + sums[2]).sum())
    prior = float(sums[1].sum()) / stated if stated > 0 else 1.0
    share = (sums[1] + PRIOR_PEOPLE * prior) / (sums[1] + sums[2] + PRIOR_PEOPLE)
    wants: Doubles = np.asarray(sums[0] * np.minimum(2.0 * share, 1.0), dtype=np.float64)
    return wants


def log_wants(matrix: PreferenceMatrix, half_life_days: float, *, now: float | None = None) -> Floats:
    """Logarithm of the share of recent wants that an item has; what nobody wants lately ends together, at the floor."""
    wants = decayed_wants(matrix, half_life_days, now=now)
    top = float(wants.max(initial=0.0)) or 1.0
    logs: Floats = np.log(wants / top + FLOOR).astype(np.float32)
    return logs


def newness(matrix: PreferenceMatrix, *, now: float | None = None) -> Floats:
    """-log(1 + days since the item was first touched); untouched items are as old as the oldest."""
    ages = ages_days(matrix, now)
    first = np.zeros(matrix.n_items)
    np.maximum.at(first, matrix.items, ages)
    untouched = np.bincount(matrix.items, minlength=matrix.n_items) == 0
    first[untouched] = first.max(initial=0.0)
    new: Floats = (-np.log1p(first)).astype(np.float32)
    return new


def ages_days(matrix: PreferenceMatrix, now: float | None = None) -> Doubles:
    """Days since each interaction; 0 without a time and for what lies after `now`."""
    known = np.isfinite(matrix.at)
    if not known.any():
        return np.zeros(matrix.nnz)
    latest = float(matrix.at[known].max()) if now is None else now
    ages: Doubles = np.where(known, np.maximum(latest - matrix.at, 0.0) / DAY_SECONDS, 0.0)
    return ages


def half_life_days_of(
    figures: Sequence[Sequence[float]],
    half_lives: Sequence[float] = HALF_LIVES_DAYS,
    *,
    importance: Sequence[float] | None = None,
) -> float:
    """The half-life with the best mean over cuts, given a row of figures by half-life for each cut.

    Raises:
        ValueError: There is no cut, or a row has another length than the half-lives.
    """
    table = np.asarray(figures, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(half_lives) or not len(table):
        raise ValueError(f"figures of {len(half_lives)} half-lives are needed for each cut, got {table.shape}")
    weights = np.ones(len(table)) if importance is None else np.asarray(importance, dtype=np.float64)
    return float(half_lives[int(np.argmax(weights @ table))])
