"""What every recommender is: something that is fitted to interactions and then lists items for a history.

A model scores by history alone, never by who it is: somebody who came a second ago is served as anybody else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from models.interaction_matrix import History, InteractionMatrix, ItemIndex, ItemPositions
from models.preferences import Stance
from models.recommenders.ranking import top_positions

if TYPE_CHECKING:
    from models.recommenders.training_data import TrainingData

Scores = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[Any]]
Config = Mapping[str, Any]
"""JSON: strings, numbers, truth values, lists and objects of them."""
Parameters = Mapping[str, float | int | str | bool]

USERS_PER_BLOCK = 1024
CELLS_PER_BLOCK = 4_000_000
"""Scores made at once, users x items: 16 MB, which the allocator uses again instead of asking for new pages."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list for one person, best first."""

    items: tuple[str, ...]
    scores: tuple[float, ...]
    personal: bool
    """Whether the history decided it; otherwise it is what is popular."""


@dataclass(frozen=True, slots=True)
class Reason:
    """An item of the history and its share in the score of a listed item."""

    item: str
    contribution: float
    liked: bool
    """Whether it speaks for liking rather than against."""
    stance: Stance = Stance.TOUCHED
    """What the person may be told of it."""


class Model(ABC):
    """A fitted recommender. Subclasses score; choosing, excluding and falling back are the same for all."""

    personal: ClassVar[bool] = True
    """Whether a history can change the scores; what is popular is the same for all."""

    def __init__(self, items: ItemIndex, popularity: Scores, *, available: npt.NDArray[np.bool_] | None = None) -> None:
        self.items = items
        self.popularity = popularity
        self.available = np.ones(len(items), dtype=np.bool_) if available is None else available

    @abstractmethod
    def scores(self, history: History) -> Scores | None:
        """A score per item, or None where the history says nothing that this model could use."""

    @abstractmethod
    def batch_scores(self, histories: InteractionMatrix, rows: slice) -> Scores:
        """Scores of a block of histories, users x items; a row of NaN where `scores` would give None.

        The array is the caller's to change.
        """

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a bundle stores, by name, so that `from_arrays` gives an equal model; `popularity` is always there."""
        return {"popularity": self.popularity}

    def config(self) -> dict[str, Any]:
        """The numbers beside the arrays, as JSON."""
        return {}

    @classmethod
    @abstractmethod
    def from_arrays(
        cls, items: ItemIndex, arrays: Arrays, config: Config, *, available: npt.NDArray[np.bool_] | None = None
    ) -> Self:
        """The model that `arrays` and `config` were taken from.

        Args:
            items: The items, in the order of the arrays.
            arrays: By name, as `arrays` gave them.
            config: As `config` gave it; a bundle of format 1 has the parameters of the fit here.
            available: Which items may be listed; None for all.

        Raises:
            KeyError: An array or a number is missing.
        """

    def explain(self, history: History, items: Sequence[str], *, reasons: int = 3) -> tuple[tuple[Reason, ...], ...]:
        """For each listed item, the items of the history that speak most for it; nothing where the model cannot say."""
        del history, reasons
        return tuple(() for _ in items)

    def similar(self, item: str, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """Items that the same people like; nothing where the model has not learnt the item, or cannot say."""
        del item, n, exclude
        return Ranking((), (), personal=False)

    def recommend(self, history: History, n: int, *, exclude: Collection[str] = ()) -> Ranking:
        """The best n available items outside the history and `exclude`; what is popular where it says nothing.

        The list is shorter than n where fewer items are left.
        """
        found = self.scores(history)
        scores = np.where(self.available, self.popularity if found is None else found, np.float32(-np.inf))
        scores[history.columns(self.items).items] = -np.inf
        scores[self.items.positions(exclude)] = -np.inf
        best = top_positions(scores, n)
        return Ranking(
            items=tuple(self.items.ids[position] for position in best),
            scores=tuple(scores[best].tolist()),
            personal=found is not None,
        )

    def recommend_all(self, histories: InteractionMatrix, n: int) -> ItemPositions:
        """Lists for many at once: users x n positions in `items`, best first, -1 where a list ends early."""
        lists = np.full((len(histories), n), -1, dtype=np.int32)
        if not len(self.items):
            return lists
        block = min(USERS_PER_BLOCK, max(1, CELLS_PER_BLOCK // len(self.items)))
        for start in range(0, len(histories), block):
            stop = min(start + block, len(histories))
            scores = self.batch_scores(histories, slice(start, stop))
            scores[np.isnan(scores[:, 0])] = self.popularity
            scores[:, ~self.available] = -np.inf
            for row in range(start, stop):
                seen = histories.items[histories.indptr[row] : histories.indptr[row + 1]]
                scores[row - start, seen] = -np.inf
                best = top_positions(scores[row - start], n)
                lists[row, : len(best)] = best
        return lists


class Recommender(ABC):
    """Something that can be fitted: a frozen dataclass whose fields are its parameters, without state.

    One file defines it and `models.recommenders.registry` names it; evaluation, bundles and pages follow.
    """

    name: ClassVar[str]
    """What the recommender is called in evaluations, bundles and MLflow; its key in the registry."""
    model: ClassVar[type[Model]]
    """What a fit gives, and what reads the arrays of a bundle."""
    compared: ClassVar[bool] = True
    """Whether evaluation puts it beside the others; a part of another recommender may be left out."""

    @property
    def parameters(self) -> Parameters:
        """The parameters of a fit, as they are tracked."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # every recommender is a dataclass

    @classmethod
    def options(cls, data: TrainingData) -> Sequence[Self]:
        """What parameters are chosen among on data of this size; one option needs no choice."""
        del data
        return (cls(),)

    @abstractmethod
    def fit(self, data: TrainingData) -> Model:
        """Learn; every item of `data.items` can be listed, learnt or not.

        Raises:
            NotEnoughFeedback: There is nothing to learn from.
        """
