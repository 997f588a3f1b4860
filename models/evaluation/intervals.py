"""Bootstrap intervals of means and of their differences, drawn over people (Efron and Tibshirani 1993, chapter 13)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.evaluation.metrics import Floats

DRAWS = 1_000
LEVEL = 0.95
CELLS = 4_000_000
"""Numbers drawn at once; it bounds memory at about 64 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(values: Floats, *, seed: int, draws: int = DRAWS) -> Interval:
    """The mean over people, and where 95 % of the means of resampled people lie."""
    means = resampled_means(values, seed=seed, draws=draws)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def resampled_means(values: Floats, *, seed: int, draws: int = DRAWS) -> Floats:
    """The mean of as many people drawn with replacement, `draws` times. The same seed draws the same people."""
    rng, count = np.random.default_rng(seed), len(values)
    means: Floats = np.empty(draws)
    block = max(1, CELLS // count)
    for start in range(0, draws, block):
        stop = min(start + block, draws)
        means[start:stop] = values[rng.integers(0, count, size=(stop - start, count))].mean(axis=1)
    return means
