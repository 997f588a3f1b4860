"""Everything that is chosen for a hybrid before it is fitted: small, flat, and remembered between fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

import numpy as np

from models.recommenders.kernels.als import AlsParameters
from models.recommenders.kernels.cooccurrence import TimeKernel
from models.recommenders.kernels.dislike import DislikeModel

FEATURES = ("item_rate", "person_rate", "predicted", "factors", "ease", "against_own_mean")
"""What the dislike model reads, in order."""


@dataclass(frozen=True)
class HybridParameters:
    """The defaults are sound on film ratings; `choosing` fits them to other data."""

    ranks: str = "32,32,64"
    """One implicit factorisation per rank, each with a seed of its own."""
    alpha: float = 0.25
    regularization: float = 0.16
    iterations: int = 12
    ease_regularization: float = 200.0
    ease_neighbours: int = 0
    """Items that each item is predicted from; 0: all, which small catalogues can afford."""
    latest: int = 300
    """Interactions of a person that pair with each other in the sparse co-occurrence."""
    kernel_share: float = 0.6
    """Of co-occurrence that counts by closeness in time."""
    taste_ease: float = 0.5
    """Weight of the neighbourhood model in the taste list; that of the factors is 1."""
    dislike: float = 0.0
    """What is taken off a taste score for each unit of the log odds of a dislike."""
    dislike_item_rate: float = 0.0
    dislike_person_rate: float = 0.0
    dislike_predicted: float = 0.0
    dislike_factors: float = 0.0
    dislike_ease: float = 0.0
    dislike_against_own_mean: float = 0.0
    """Coefficients of those log odds; all 0 where nothing was learnt."""
    half_life_days: float = 30.0
    known_newness: float = 0.0
    known_factors: float = 0.0
    known_ease: float = 0.0
    known_neighbours: float = 0.0
    """Weights in the list of what is wanted lately, beside log wants with weight 1; all 0: that alone."""
    newcomer_newness: float = 0.0
    newcomer_factors: float = 0.0
    newcomer_ease: float = 0.0
    newcomer_neighbours: float = 0.0
    newcomer_events: int = 5
    """People with at most this many items are newcomers."""
    known_slots: int = 1
    """Of ten slots, how many known people get from what is wanted lately; 10: all."""
    newcomer_slots: int = 1
    slot_taste: float = 0.4
    """Weight of taste in what fills those slots: without it they hit half as often."""

    @property
    def factorisations(self) -> tuple[AlsParameters, ...]:
        """The parameters of each implicit factorisation."""
        return tuple(
            AlsParameters(int(rank), self.regularization, self.alpha, self.iterations)
            for rank in self.ranks.split(",")
            if rank
        )

    @property
    def dislike_model(self) -> DislikeModel:
        """The log odds of a dislike, up to a constant, which changes no list."""
        names = [f"dislike_{name}" for name in FEATURES]
        return DislikeModel(np.array([getattr(self, name) for name in names], dtype=np.float64), 0.0)

    def with_dislikes(self, model: DislikeModel, strength: float) -> Self:
        """The same with other dislikes."""
        values = {f"dislike_{name}": float(value) for name, value in zip(FEATURES, model.coefficients, strict=True)}
        return replace(self, dislike=strength, **values)  # type: ignore[arg-type]

    @property
    def kernel(self) -> TimeKernel:
        """How co-occurrence counts time."""
        return TimeKernel(share=self.kernel_share)

    def lately(self, *, newcomer: bool) -> tuple[float, float, float, float, float]:
        """Weights of log wants, newness, factors, neighbourhood and similar people, for what is wanted lately."""
        if newcomer:
            rest = (self.newcomer_newness, self.newcomer_factors, self.newcomer_ease, self.newcomer_neighbours)
        else:
            rest = (self.known_newness, self.known_factors, self.known_ease, self.known_neighbours)
        return (1.0, *rest)

    def flat(self) -> dict[str, float | int | str | bool]:
        """For a manifest or a run's parameters."""
        return asdict(self)

    @classmethod
    def of(cls, stated: Mapping[str, float | int | str | bool]) -> HybridParameters:
        """From `flat`; names that this version does not know are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stated.items() if name in known})  # type: ignore[arg-type]
