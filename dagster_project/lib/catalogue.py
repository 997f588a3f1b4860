"""The catalogue: the latest good entry of each item, out of `feedback` rows of kind `item`.

An entry that is none (its payload is no JSON, has values of other types, or no title) or that breaks a row rule of
the suite `items` is left out, and the item keeps the entry before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import polars as pl

from expectations.predicates import breaks
from expectations.suites.items import ITEMS_SUITE
from feedback.bounds import EARLIEST_US, LATEST_US, microseconds
from lakehouse.tables.items import ITEMS
from lakehouse.tables.positions import PLACE

PAYLOAD = pl.Struct(
    {
        "title": pl.String,
        "categories": pl.List(pl.String),
        "tags": pl.List(pl.String),
        "description": pl.String,
        "url": pl.String,
        "image_url": pl.String,
        "available": pl.Boolean,
    }
)
"""The fields of a catalogue entry that have no column of their own in `feedback`, but for `released_at`."""

UNREADABLE = "payload"
"""The reason of an entry whose payload is not that of a catalogue entry."""


class _Payload(msgspec.Struct):
    """The types of a payload; lengths and ranges are the suite's."""

    title: str | None = None
    categories: list[str] | None = None
    tags: list[str] | None = None
    description: str | None = None
    url: str | None = None
    image_url: str | None = None
    available: bool | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The items, and the entries that were left out."""

    rows: pl.DataFrame
    """One row per item in the columns of `items`."""
    left_out: pl.DataFrame
    """The columns of `items`, the entry's place in the log, and `rule`: why it was left out."""

    @property
    def left_out_by_rule(self) -> Mapping[str, int]:
        """Entries that were left out, by the first rule that each breaks."""
        return dict(self.left_out.group_by("rule").len().sort("rule").iter_rows())


def build_catalogue(events: pl.LazyFrame) -> Catalogue:
    """One row per item: the good entry that happened last, of two at once the later landed.

    Only the latest entry of each item is read, and all of them where the latest is left out.
    """
    entries = events.filter((pl.col("kind") == "item") & pl.col("item_id").is_not_null()).select(
        "item_id", "payload", "price", "currency", "occurred_at", *PLACE
    )
    latest = _judged(_latest(entries, time="occurred_at").collect())
    good, bad = latest.filter(pl.col("rule").is_null()), latest.filter(pl.col("rule").is_not_null())
    if not bad.is_empty():
        history = _judged(entries.filter(pl.col("item_id").is_in(bad["item_id"].implode())).collect())
        earlier = _latest(history.filter(pl.col("rule").is_null()).lazy(), time="updated_at").collect()
        good, bad = pl.concat([good, earlier]), history.filter(pl.col("rule").is_not_null())
    return Catalogue(good.select(ITEMS.names).sort("item_id"), bad.sort(PLACE))


def _latest(entries: pl.LazyFrame, *, time: str) -> pl.LazyFrame:
    return entries.sort(time, *PLACE).unique("item_id", keep="last", maintain_order=True)


def _judged(entries: pl.DataFrame) -> pl.DataFrame:
    """The entries in the columns of `items`, with their places and `rule`: null, or the first rule that one breaks."""
    read = [_read(text) for text in entries["payload"]]
    readable = pl.Series([payload is not None for payload in read], dtype=pl.Boolean)
    released = pl.Series([_released(payload) for payload in read], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    payload = pl.when(readable).then(pl.col("payload")).fill_null("{}")
    rows = (
        entries.with_columns(entry=payload.str.json_decode(PAYLOAD), released_at=released, _readable=readable)
        .unnest("entry")
        .rename({"occurred_at": "updated_at"})
        .with_columns(
            categories=pl.col("categories").fill_null([]),
            tags=pl.col("tags").fill_null([]),
            available=pl.col("available").fill_null(value=True),
        )
    )
    derived = ITEMS_SUITE.derive(rows, None)
    rules = [rule for rule in ITEMS_SUITE.rules if rule.leaves_out]
    reasons = [pl.when(breaks(rule, derived.schema)).then(pl.lit(rule.name)) for rule in rules]
    rule = pl.coalesce(pl.when(~pl.col("_readable")).then(pl.lit(UNREADABLE)), *reasons)
    return derived.with_columns(rule=rule).select(*ITEMS.names, *PLACE, "rule")


def _read(payload: str | None) -> _Payload | None:
    if payload is None:
        return _Payload()
    try:
        return msgspec.json.decode(payload, type=_Payload)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _released(payload: _Payload | None) -> int | None:
    """Microseconds since 1970 (UTC); none outside the calendar. A time without a zone is taken as UTC."""
    if payload is None or payload.released_at is None:
        return None
    moment = payload.released_at
    at = microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return at if EARLIEST_US <= at <= LATEST_US else None
