"""The event contract, version 1: one typed struct per kind of feedback.

Senders write these fields; the gateway checks them, replaces `user_id` by a pseudonym and writes the
admitted form (`feedback.admitted`) to the log. Unknown fields are kept in `attributes`. The structs are the
only home of which fields a kind needs and in which ranges; docs and landing checks are derived from them.

A version only adds: optional fields, or kinds. It never renames a field, never changes what one means and never makes
an optional one needed. So a release that knows version 1 can land version 2: fields that it knows go to
columns, others to `attributes`, until a migration (`lakehouse.evolution`) gives them a column.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, inspect

from feedback.bounds import FIRST_VERSION, LAST_VERSION

CONTRACT_VERSION = 1
"""The version that this release knows; the default of events that state none."""

Purpose = Literal["feedback", "personalization", "analytics"]
Reaction = Literal["like", "dislike", "love", "laugh", "sad", "angry", "helpful", "unhelpful"]
Metric = Literal["nps", "csat", "ces", "choice", "text"]

_ID = {"id": True}
"""Marks the types of ids: a whole number is taken as its text there, see `ID_FIELDS`."""
_WRITTEN = {"written": True}
"""Marks free text that a person wrote, or that somebody noted about a person; see `WRITTEN_FIELDS`."""
RecordId = Annotated[
    str, Meta(min_length=1, max_length=128, description="idempotency key within owner, kind and source", extra=_ID)
]
Identity = Annotated[str, Meta(min_length=1, max_length=256, extra=_ID)]
ItemId = Annotated[str, Meta(min_length=1, max_length=256, description="what the feedback is about", extra=_ID)]
Reference = Annotated[str, Meta(min_length=1, max_length=128, extra=_ID)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=100_000, extra=_WRITTEN)]
Link = Annotated[str, Meta(max_length=2048)]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with zone")]
Count = Annotated[float, Meta(gt=0, le=1e9)]
Money = Annotated[float, Meta(ge=0, le=1e12)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
Version = Annotated[
    int, Meta(ge=FIRST_VERSION, le=LAST_VERSION, description="version of the contract that the sender follows")
]
Scale = Annotated[tuple[float, float], Meta(description="lowest and highest possible value")]

SURVEY_SCALES: dict[str, tuple[float, float]] = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0)}
"""The scale of a survey metric where the event states none; NPS has no other."""


class Context(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where the person was when the event happened."""

    device: Name | None = None
    os: Name | None = None
    app: Name | None = None
    locale: Name | None = None
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2")] | None = None
    region: Name | None = None
    page: Link | None = None
    section: Name | None = None
    session_id: Reference | None = None
    referrer: Link | None = None
    position: Annotated[int, Meta(ge=0, le=100_000, description="slot in a list, from 0")] | None = None


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The fields that every kind shares."""

    needs_subject: ClassVar[bool] = True
    statement_about: ClassVar[tuple[str, ...] | None] = None
    """Set where a later event replaces an earlier one: the fields that tell, beside owner and kind, what both are
    about. Sent without id and time, such an event is a repeat only of the latest one; any other counts each time."""

    v: Version = CONTRACT_VERSION
    id: RecordId | UnsetType = UNSET
    user_id: Identity | None = None
    anonymous_id: Identity | None = None
    item_id: ItemId | None = None
    occurred_at: Time | UnsetType = UNSET
    source: Name = "api"
    context: Context = msgspec.field(default_factory=Context)
    decision_id: Reference | None = None
    consent: list[Purpose] | None = None
    attributes: dict[str, Any] = {}


class AboutItem(Event, kw_only=True, omit_defaults=True):
    """An event that is always about an item."""

    item_id: ItemId


class Rating(AboutItem, kw_only=True, tag="rating"):
    """A score on a scale; a later rating of the same item replaces it."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)

    value: float
    scale: Scale
    text: Text | None = None


class Review(AboutItem, kw_only=True, tag="review"):
    """A text about an item, often with a score."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)

    text: Text
    title: Annotated[str, Meta(max_length=1000, extra=_WRITTEN)] | None = None
    value: float | None = None
    scale: Scale | None = None


class ReactionEvent(AboutItem, kw_only=True, tag="reaction"):
    """A one-tap judgement."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)

    reaction: Reaction


class Survey(Event, kw_only=True, tag="survey"):
    """One answer to one survey question; post-purchase surveys carry `order_id`."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id", "metric", "survey_id", "question_id", "order_id")

    metric: Metric
    value: float | None = None
    scale: Scale | None = None
    text: Text | None = None
    choices: (
        Annotated[list[Annotated[str, Meta(max_length=1000, extra=_WRITTEN)]], Meta(min_length=1, max_length=100)]
        | None
    ) = None
    survey_id: Reference | None = None
    question_id: Reference | None = None
    order_id: Reference | None = None


class View(Event, kw_only=True, tag="view"):
    """A page or an item was seen."""


class Click(AboutItem, kw_only=True, tag="click"):
    """An item was opened."""


class Search(Event, kw_only=True, tag="search"):
    """A query was typed."""

    query: Annotated[str, Meta(min_length=1, max_length=1000, extra=_WRITTEN)]
    results: Annotated[int, Meta(ge=0)] | None = None


class Dwell(AboutItem, kw_only=True, tag="dwell"):
    """Time was spent with an item."""

    seconds: Annotated[float, Meta(ge=0, le=86_400)]


class Scroll(Event, kw_only=True, tag="scroll"):
    """A page was scrolled, as a share of its height."""

    depth: Annotated[float, Meta(ge=0, le=1)]


class Skip(AboutItem, kw_only=True, tag="skip"):
    """An item was passed over or broken off."""

    seconds: Annotated[float, Meta(ge=0, le=86_400, description="time until the skip")] | None = None


class Hide(AboutItem, kw_only=True, tag="hide"):
    """An item was hidden: not this again."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)


class Follow(AboutItem, kw_only=True, tag="follow"):
    """An item, author or brand is followed."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)


class Bookmark(AboutItem, kw_only=True, tag="bookmark"):
    """An item was saved for later."""

    statement_about: ClassVar[tuple[str, ...] | None] = ("item_id",)


class Share(AboutItem, kw_only=True, tag="share"):
    """An item was passed on."""

    channel: Name | None = None


class Session(Event, kw_only=True, tag="session"):
    """A visit began or ended."""

    state: Literal["start", "end"]


class Message(Event, kw_only=True, tag="message"):
    """A line of chat, a ticket, a comment or a voice transcript."""

    channel: Literal["chat", "ticket", "comment", "voice"]
    text: Text
    author: Literal["customer", "agent", "bot"] = "customer"
    conversation_id: Reference | None = None


class Trade(AboutItem, kw_only=True, omit_defaults=True):
    """A line of a basket or an order."""

    quantity: Count = 1.0
    price: Money | None = None
    currency: Currency | None = None
    order_id: Reference | None = None


class AddToCart(Trade, kw_only=True, tag="add_to_cart"):
    """An item was put into the basket."""


class Purchase(Trade, kw_only=True, tag="purchase"):
    """An item was bought."""


class Return(Trade, kw_only=True, tag="return"):
    """A bought item was returned."""

    reason: Annotated[str, Meta(max_length=1000, extra=_WRITTEN)] | None = None


class Exposure(Event, kw_only=True, tag="exposure"):
    """A served list was shown on screen."""

    decision_id: Reference
    items: Annotated[list[ItemId], Meta(max_length=1000)] = []


class Consent(Event, kw_only=True, tag="consent"):
    """The person granted or withdrew purposes; what is not named stays as it is."""

    statement_about: ClassVar[tuple[str, ...] | None] = ()

    granted: list[Purpose] = []
    denied: list[Purpose] = []


class Identify(Event, kw_only=True, tag="identify"):
    """An anonymous visitor turned out to be a known person; both ids are needed."""

    statement_about: ClassVar[tuple[str, ...] | None] = ()

    user_id: Identity
    anonymous_id: Identity


class Profile(Event, kw_only=True, tag="profile"):
    """Facts about the person from a CRM."""

    statement_about: ClassVar[tuple[str, ...] | None] = ()

    segment: Name | None = None
    traits: Annotated[dict[str, Any], Meta(extra=_WRITTEN)] = {}


class Item(AboutItem, kw_only=True, tag="item"):
    """A catalogue entry; the latest one wins. It belongs to no person."""

    needs_subject: ClassVar[bool] = False
    statement_about: ClassVar[tuple[str, ...] | None] = ()

    title: Annotated[str, Meta(min_length=1, max_length=1000)]
    categories: Annotated[list[Name], Meta(max_length=100)] = []
    tags: Annotated[list[Name], Meta(max_length=100)] = []
    description: Annotated[str, Meta(max_length=100_000)] | None = None
    price: Money | None = None
    currency: Currency | None = None
    url: Link | None = None
    image_url: Link | None = None
    available: bool = True
    released_at: Time | None = None


STRUCTS: tuple[type[Event], ...] = (
    Rating, Review, ReactionEvent, Survey,
    View, Click, Search, Dwell, Scroll, Skip, Hide, Follow, Bookmark, Share, Session,
    Message,
    AddToCart, Purchase, Return,
    Exposure, Consent, Identify, Profile, Item,
)  # fmt: skip

KINDS: dict[str, type[Event]] = {str(struct.__struct_config__.tag): struct for struct in STRUCTS}
"""Every kind by its name, in the contract's order."""

STATEMENTS: dict[str, tuple[str, ...]] = {
    kind: struct.statement_about for kind, struct in KINDS.items() if struct.statement_about is not None
}
"""Kinds of which the latest event about a thing holds, with the fields that say what the thing is."""


def _is_marked(type_: inspect.Type, mark: str) -> bool:
    if isinstance(type_, inspect.Metadata):
        return bool((type_.extra or {}).get(mark)) or _is_marked(type_.type, mark)
    if isinstance(type_, inspect.UnionType):
        return any(_is_marked(one, mark) for one in type_.types)
    return isinstance(type_, inspect.ListType) and _is_marked(type_.item_type, mark)


def _longest(type_: inspect.Type) -> int | None:
    """How many characters a text of a type may have, or each text of a list."""
    if isinstance(type_, inspect.UnionType):
        return max((most for one in type_.types if (most := _longest(one)) is not None), default=None)
    if isinstance(type_, inspect.Metadata):
        return _longest(type_.type)
    if isinstance(type_, inspect.ListType):
        return _longest(type_.item_type)
    return type_.max_length if isinstance(type_, inspect.StrType) else None


def _marked_fields(struct: type[msgspec.Struct], mark: str) -> tuple[str, ...]:
    return tuple(field.name for field in _fields(struct) if _is_marked(field.type, mark))


def _fields(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info.fields


ID_FIELDS: dict[str, tuple[str, ...]] = {kind: _marked_fields(struct, "id") for kind, struct in KINDS.items()}
"""Per kind, the fields that hold ids, or lists of them. Ids are often numbers at the sender."""
CONTEXT_ID_FIELDS: tuple[str, ...] = _marked_fields(Context, "id")
"""The same of `context`."""
WRITTEN_FIELDS: dict[str, dict[str, int | None]] = {
    kind: {field.name: _longest(field.type) for field in _fields(struct) if _is_marked(field.type, "written")}
    for kind, struct in KINDS.items()
}
"""Per kind, the fields that hold what people wrote, with the most characters of each; none of a catalogue entry."""
