"""One served list: fold in the latest history, lean on popularity while it is short, say why each item is there."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from models.bundle import Bundle
from models.histories import History
from models.ranking import top_positions

BLEND_HISTORY = 5.0
"""With this many items known of a person, taste and popularity weigh the same."""


class ListedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One slot of a list."""

    item_id: str
    title: str
    score: float
    reason: str


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    """Items, best first, and where they come from: `personal`, `blend` (little is known yet) or `popular`."""

    source: str
    known_items: int
    items: tuple[ListedItem, ...]


def build_list(bundle: Bundle, history: History, n: int, *, exclude: Collection[str] = ()) -> ItemList:
    """The best n items for a history; what is popular where the history says nothing yet."""
    model = bundle.model
    taste = model.scores(history)
    share = len(history) / (len(history) + BLEND_HISTORY) if taste is not None else 0.0
    popularity = _scaled(model.popularity)
    scores = popularity if taste is None else share * _scaled(taste) + (1.0 - share) * popularity
    scores = np.where(model.available, scores, -np.inf)
    scores[model.items.positions(history.opinions)] = -np.inf
    scores[model.items.positions(exclude)] = -np.inf
    best = top_positions(scores, n)
    ids = [model.items.ids[place] for place in best]
    reasons = bundle.reasons(history, ids) if taste is not None else [None] * len(ids)
    items = tuple(
        ListedItem(
            item_id=item_id,
            title=bundle.title(item_id),
            score=round(float(scores[place]), 6),
            reason=_reason(bundle, because),
        )
        for item_id, place, because in zip(ids, best, reasons, strict=True)
    )
    source = "popular" if taste is None else "personal" if share >= 0.5 else "blend"
    return ItemList(source=source, known_items=len(history), items=items)


def similar_items(bundle: Bundle, item_id: str, n: int) -> tuple[ListedItem, ...]:
    """The items nearest to one, by the cosine of their factors."""
    reason = f"liked by the same people as {bundle.title(item_id)}"
    return tuple(
        ListedItem(item_id=other, title=bundle.title(other), score=round(score, 6), reason=reason)
        for other, score in bundle.similar(item_id, n)
    )


def _scaled(scores: np.ndarray) -> np.ndarray:
    """Scores from 0 to 1, so that taste and popularity can be added."""
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
    scaled: np.ndarray = (scores - low) / (high - low) if high > low else np.zeros_like(scores)
    return scaled.astype(np.float64)


def _reason(bundle: Bundle, because: str | None) -> str:
    return "popular with everyone" if because is None else f"because you liked {bundle.title(because)}"
