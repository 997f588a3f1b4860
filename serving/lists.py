"""One served list: the bundle's answer for a history, with titles and the reason for each item."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from models.bundle.bundle import Bundle
from models.interaction_matrix import History
from models.preferences import Stance
from models.recommenders.recommender import Reason

SHORT_HISTORY = 5
"""Below this many known items of a person the list is a blend with popular items."""

POPULAR = "popular with everyone"
BECAUSE = {
    Stance.LIKED: "because you liked ",
    Stance.DISLIKED: "because you disliked ",
    Stance.RATED: "because you rated ",
    Stance.TOUCHED: "because of ",
    Stance.PASSED_OVER: "because you passed over ",
}
"""The words for a reason claim no more than the event: a purchase is not called a like."""


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


def build_list(
    bundle: Bundle, titles: Sequence[str], history: History, n: int, *, exclude: Collection[str] = ()
) -> ItemList:
    """The best n items for a history; popular items where the history is empty."""
    ranking = bundle.recommend(history, n, exclude=exclude)
    reasons = bundle.explain(history, ranking.items, reasons=1) if ranking.personal else [()] * len(ranking.items)
    items = tuple(
        ListedItem(
            item_id=item_id,
            title=_title(bundle, titles, item_id),
            score=round(score, 6),
            reason=_reason(bundle, titles, because),
        )
        for item_id, score, because in zip(ranking.items, ranking.scores, reasons, strict=True)
    )
    known = len(history)
    source = "popular" if not ranking.personal else "blend" if known < SHORT_HISTORY else "personal"
    return ItemList(source=source, known_items=known, items=items)


def similar_items(bundle: Bundle, titles: Sequence[str], item_id: str, n: int) -> tuple[ListedItem, ...]:
    """Items that the same people like as one item."""
    ranking = bundle.similar(item_id, n)
    reason = f"liked by the people who like {_title(bundle, titles, item_id)}"
    return tuple(
        ListedItem(item_id=other, title=_title(bundle, titles, other), score=round(score, 6), reason=reason)
        for other, score in zip(ranking.items, ranking.scores, strict=True)
    )


def titles_of(bundle: Bundle) -> list[str]:
    """Titles in the model's order, as plain strings: no frame is touched per request."""
    return bundle.catalogue["title"].to_list()


def _title(bundle: Bundle, titles: Sequence[str], item_id: str) -> str:
    place = bundle.model.items.position(item_id)
    return item_id if place is None else titles[place]


def _reason(bundle: Bundle, titles: Sequence[str], because: Sequence[Reason]) -> str:
    if not because:
        return POPULAR
    reason = because[0]
    return BECAUSE[reason.stance] + _title(bundle, titles, reason.item)
