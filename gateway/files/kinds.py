"""Map event types of trackers (VIEW, addToCart, COMMENT CREATED) to kinds of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from feedback.contract import KINDS
from feedback.errors import ImportFileError

FIELD_OF_KIND = {"reaction": "reaction", "message": "channel", "survey": "metric", "session": "state"}
"""The field that tells the events of a kind apart: `reaction:like` is a reaction whose `reaction` is like."""

_WORDS: dict[str, str] = {
    "view": "viewed pageview page_view product_view product_viewed item_view detail_view view_item watch watched "
    "play played listen listened read open_page visit visited",
    "click": "clicked click_out item_click product_click product_clicked select_item open opened",
    "add_to_cart": "addtocart cart added_to_cart product_added basket add_to_basket",
    "purchase": "purchased transaction buy bought order ordered sale checkout_completed",
    "return": "returned refund refunded",
    "bookmark": "bookmarked save saved favorite favourite favorited wishlist add_to_wishlist wish watchlist",
    "follow": "followed subscribe subscribed",
    "share": "shared reshare retweet repost forward",
    "skip": "skipped",
    "hide": "hidden dismiss dismissed not_interested block",
    "search": "searched query",
    "rating": "rate rated",
    "review": "reviewed product_reviewed review_submitted",
    "reaction:like": "like liked upvote thumbs_up thumb_up",
    "reaction:dislike": "dislike disliked downvote thumbs_down thumb_down",
    "reaction:love": "love loved heart",
    "message:comment": "comment commented comment_created comment_added reply replied",
    "message:chat": "chat chat_message",
    "message:ticket": "ticket ticket_created",
    "session:start": "session_start session_started login",
    "session:end": "session_end session_ended logout",
}
_SPLIT = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class KindRule:
    """The kind that a word means, and the value of the field that tells its events apart, if it says one."""

    kind: str
    detail: str | None = None

    @property
    def text(self) -> str:
        """As `--kinds` writes it."""
        return f"{self.kind}:{self.detail}" if self.detail else self.kind


def parse_rule(text: str) -> KindRule:
    """`view` or `reaction:like` as a rule.

    Raises:
        ImportFileError: The kind is unknown, or has no field that a detail could name.
    """
    kind, _, detail = text.strip().partition(":")
    if kind not in KINDS:
        raise ImportFileError(f"--kinds …={text}: {kind!r} is no kind; the contract knows {', '.join(KINDS)}")
    if detail and kind not in FIELD_OF_KIND:
        raise ImportFileError(f"--kinds …={text}: a {kind} takes nothing after the colon; write {kind}")
    return KindRule(kind, detail or None)


def _plain(word: str) -> str:
    spaced = word if word.isupper() else _CAMEL.sub("_", word)
    return "_".join(part for part in _SPLIT.split(spaced.lower()) if part)


_BUILT_IN: dict[str, KindRule] = {
    **{name: parse_rule(text) for text, names in _WORDS.items() for name in names.split()},
    **{kind: KindRule(kind) for kind in KINDS},
}


def kind_of_word(word: str, own: Mapping[str, str]) -> KindRule | None:
    """The rule for a type of event: one of the user's own, then the contract's kinds and usual names."""
    if word in own:
        return parse_rule(own[word])
    plain = _plain(word)
    return _BUILT_IN.get(plain) or _BUILT_IN.get(plain.replace("_", ""))
