"""The catalogue: the latest entry of each item, out of `feedback` rows of kind `item`."""

from __future__ import annotations

import polars as pl

from feedback.errors import ContractViolation
from lakehouse.tables import ITEMS

PAYLOAD = pl.Struct(
    {
        "title": pl.String,
        "categories": pl.List(pl.String),
        "tags": pl.List(pl.String),
        "description": pl.String,
        "url": pl.String,
        "image_url": pl.String,
        "available": pl.Boolean,
        "released_at": pl.String,
    }
)
"""The fields of a catalogue entry that have no column of their own in `feedback`."""

PLACE = ("occurred_at", "log_partition", "log_offset", "log_index")


def build_catalogue(events: pl.LazyFrame) -> pl.DataFrame:
    """One row per item in the columns of `items`: the entry that happened last, of two at once the later landed.

    Raises:
        ContractViolation: An entry's payload is not the JSON of a catalogue entry.
    """
    latest = (
        events.filter((pl.col("kind") == "item") & pl.col("item_id").is_not_null())
        .select("item_id", "payload", "price", "currency", *PLACE)
        .sort(PLACE)
        .unique("item_id", keep="last", maintain_order=True)
    )
    no_time = pl.lit(None, dtype=pl.String)
    try:
        entries = latest.with_columns(entry=pl.col("payload").fill_null("{}").str.json_decode(PAYLOAD)).collect()
        fields = entries.select("item_id", "price", "currency", "occurred_at", "entry").unnest("entry")
        frame = fields.with_columns(
            categories=pl.col("categories").fill_null([]),
            tags=pl.col("tags").fill_null([]),
            available=pl.col("available").fill_null(value=True),
            released_at=pl.coalesce("released_at", no_time).str.to_datetime(time_unit="us", time_zone="UTC"),
        ).rename({"occurred_at": "updated_at"})
    except pl.exceptions.PolarsError as error:
        raise ContractViolation(
            f"items: the payload of a catalogue entry is not as the contract has it: {error}"
        ) from error
    untitled = frame.filter(pl.col("title").is_null())
    if not untitled.is_empty():
        raise ContractViolation(
            f"items: {untitled.height} catalogue entries have no title, such as item {untitled['item_id'][0]!r}"
        )
    return frame.select(ITEMS.names).sort("item_id")
