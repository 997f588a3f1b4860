"""Item preferences, by item id for one person and in columns for all.

`History` is what serving changes event by event; `InteractionMatrix` is the same for everybody in compressed rows,
which the bundle stores and evaluation scores in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from feedback.errors import ContractViolation
from models.preferences import Floats, ItemPreference, combined, merged, signal_of, weighed

ItemPositions = npt.NDArray[np.int32]


class FeedbackRow(Protocol):
    """The columns of one landed event that a history needs; `occurred_at` in microseconds since 1970 (UTC)."""

    @property
    def kind(self) -> str: ...  # noqa: D102 - a column of the `feedback` table
    @property
    def item_id(self) -> str | None: ...  # noqa: D102
    @property
    def value(self) -> float | None: ...  # noqa: D102
    @property
    def scale_min(self) -> float | None: ...  # noqa: D102
    @property
    def scale_max(self) -> float | None: ...  # noqa: D102
    @property
    def label(self) -> str | None: ...  # noqa: D102
    @property
    def occurred_at(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class History:
    """One person's item preferences, by item id."""

    preferences: Mapping[str, ItemPreference] = field(default_factory=dict)

    def after(self, events: Iterable[FeedbackRow]) -> History:
        """This history after later events, given in the order of the log; the original stays as it is."""
        changed: dict[str, ItemPreference] = {}
        for event in events:
            if event.item_id is None:
                continue
            signal = signal_of(
                event.kind,
                event.value,
                scale_min=event.scale_min,
                scale_max=event.scale_max,
                label=event.label,
            )
            if signal is not None:
                before = changed.get(event.item_id) or self.preferences.get(event.item_id)
                changed[event.item_id] = merged(before, signal, occurred_at=event.occurred_at)
        # Stored preferences are columns already, and most people have no later event.
        return History({**self.preferences, **changed}) if changed else self

    def with_linked(self, others: Iterable[History]) -> History:
        """This history with those of linked subjects, as one person's."""
        found: dict[str, ItemPreference] = {}
        for other in others:
            for item, preference in other.preferences.items():
                found[item] = combined(found.get(item) or self.preferences.get(item), preference)
        return History({**self.preferences, **found}) if found else self

    def columns(self, index: ItemIndex) -> ItemPreferenceColumns:
        """The preferences for items of an index, as arrays."""
        if isinstance(self.preferences, StoredItemPreferences) and self.preferences.index is index:
            return self.preferences.columns
        position = index.position
        known = [
            (at, explicit, implicit)
            for item, (explicit, _, implicit) in self.preferences.items()
            if (at := position(item)) is not None
        ]
        numbers = np.array(known, dtype=np.float64).reshape(-1, 3)  # None becomes NaN
        return ItemPreferenceColumns(numbers[:, 0].astype(np.int32), numbers[:, 1], numbers[:, 2])

    def __len__(self) -> int:
        return len(self.preferences)


class ItemPreferenceColumns(NamedTuple):
    """One person's preferences as arrays: position of the item, stated preference (NaN where none), summed evidence."""

    items: ItemPositions
    explicit: Floats
    implicit: Floats


class StoredItemPreferences(Mapping[str, ItemPreference]):
    """Preferences as a bundle stores them; item ids are looked up only on access by id, which most lists never need."""

    __slots__ = ("_named", "_stated_at", "columns", "index")

    def __init__(self, index: ItemIndex, columns: ItemPreferenceColumns, stated_at: npt.NDArray[np.int64]) -> None:
        self.index = index
        self.columns = columns
        self._stated_at = stated_at
        self._named: dict[str, ItemPreference] | None = None

    def __getitem__(self, item_id: str) -> ItemPreference:
        return self._by_name()[item_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self.columns.items)

    def _by_name(self) -> dict[str, ItemPreference]:
        if self._named is None:
            items, explicit, implicit = (column.tolist() for column in self.columns)
            stated = [None if value != value else value for value in explicit]
            preferences = map(ItemPreference._make, zip(stated, self._stated_at.tolist(), implicit, strict=True))
            self._named = dict(zip(map(self.index.ids.__getitem__, items), preferences, strict=True))
        return self._named


class ItemIndex:
    """Item ids and their rows in every array of a model; a set-like, immutable vocabulary."""

    __slots__ = ("_position", "ids")

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: tuple[str, ...] = tuple(ids)
        self._position = {item: row for row, item in enumerate(self.ids)}
        if len(self._position) != len(self.ids):
            raise ContractViolation(f"item index: {len(self.ids) - len(self._position)} item ids occur twice")

    @classmethod
    def of(cls, *frames: pl.DataFrame) -> ItemIndex:
        """All `item_id`s of some frames, sorted, so that equal input gives an equal index."""
        columns = [frame.select(pl.col("item_id").cast(pl.String)) for frame in frames]
        return cls(pl.concat(columns)["item_id"].unique().sort().to_list())

    def position(self, item_id: str) -> int | None:
        """The row of an item, or None where it is unknown."""
        return self._position.get(item_id)

    def positions(self, item_ids: Iterable[str]) -> ItemPositions:
        """The rows of the known ones among some items."""
        found = map(self._position.get, item_ids)
        return np.array([row for row in found if row is not None], dtype=np.int32)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._position


@dataclass(frozen=True)
class InteractionMatrix:
    """Everybody's item preferences in compressed rows: row `s` is `[indptr[s], indptr[s + 1])` of the columns.

    Subjects are sorted UTF-8 bytes, so that one binary search finds a row without a dictionary in memory.
    """

    subjects: npt.NDArray[np.bytes_]
    indptr: npt.NDArray[np.int64]
    items: ItemPositions
    explicit: npt.NDArray[np.float32]
    explicit_at: npt.NDArray[np.int64]
    implicit: npt.NDArray[np.float32]

    @classmethod
    def from_frame(cls, interactions: pl.DataFrame, index: ItemIndex) -> InteractionMatrix:
        """The histories in an interactions frame; items that the index lacks are left out.

        Without `explicit_at` the last event's time stands in for the stated preference's.
        """
        stated_at = "explicit_at" if "explicit_at" in interactions.columns else "last_at"
        frame = (
            interactions.lazy()
            .join(_index_frame(index).lazy(), on="item_id", how="inner")
            .select(
                pl.col("subject").cast(pl.String),
                "position",
                pl.col("explicit").cast(pl.Float32).fill_null(float("nan")),
                pl.when(pl.col("explicit").is_not_null())
                .then(pl.col(stated_at).dt.epoch("us"))
                .fill_null(0)
                .alias("explicit_at"),
                pl.col("implicit").cast(pl.Float32).fill_null(0.0),
            )
            .sort("subject", "position")
            .collect()
        )
        counts = frame.group_by("subject", maintain_order=True).len()
        return cls(
            subjects=np.array([name.encode() for name in counts["subject"]], dtype=np.bytes_),
            indptr=np.concatenate([[0], counts["len"].to_numpy().cumsum()]).astype(np.int64),
            items=frame["position"].to_numpy().astype(np.int32),
            explicit=frame["explicit"].to_numpy(),
            explicit_at=frame["explicit_at"].to_numpy().astype(np.int64),
            implicit=frame["implicit"].to_numpy(),
        )

    @cached_property
    def preference_and_weight(self) -> tuple[Floats, Floats]:
        """Signed preference and weight of every row."""
        return weighed(self.explicit.astype(np.float64), self.implicit.astype(np.float64))

    def row_of(self, subject: str) -> int | None:
        """The row of a subject, or None where it is unknown."""
        key = subject.encode()
        if len(key) > self.subjects.dtype.itemsize:
            return None  # numpy would cut the key to the column's width
        row = int(np.searchsorted(self.subjects, np.bytes_(key)))
        return row if row < len(self.subjects) and self.subjects[row] == key else None

    def history(self, row: int, index: ItemIndex) -> History:
        """One person's history by item id."""
        span = slice(int(self.indptr[row]), int(self.indptr[row + 1]))
        columns = ItemPreferenceColumns(
            self.items[span], self.explicit[span].astype(np.float64), self.implicit[span].astype(np.float64)
        )
        return History(StoredItemPreferences(index, columns, self.explicit_at[span]))

    def take(self, subjects: Sequence[str]) -> InteractionMatrix:
        """The histories of some subjects in the order asked for; unknown ones are empty."""
        rows = [self.row_of(subject) for subject in subjects]
        spans = [(int(self.indptr[row]), int(self.indptr[row + 1])) if row is not None else (0, 0) for row in rows]
        picked = np.concatenate([np.arange(low, high) for low, high in spans]) if spans else np.arange(0)
        return InteractionMatrix(
            subjects=np.array([subject.encode() for subject in subjects], dtype=np.bytes_),
            indptr=np.concatenate([[0], np.cumsum([high - low for low, high in spans])]).astype(np.int64),
            items=self.items[picked],
            explicit=self.explicit[picked],
            explicit_at=self.explicit_at[picked],
            implicit=self.implicit[picked],
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1


def _index_frame(index: ItemIndex) -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": list(index.ids), "position": np.arange(len(index), dtype=np.int32)},
        schema={"item_id": pl.String, "position": pl.Int32},
    )
