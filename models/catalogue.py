"""The catalogue in a model's order: one row per item that can be listed, with an entry or without."""

from __future__ import annotations

import polars as pl

from models.interaction_matrix import ItemIndex

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "title": pl.String,
    "categories": pl.List(pl.String),
    "available": pl.Boolean,
    "description": pl.String,
    "tags": pl.List(pl.String),
    "released_at": pl.Datetime("us", "UTC"),
}
"""What every catalogue has, beside `item_id` and whatever else is known of the items."""


def catalogue_of(items: ItemIndex, table: pl.DataFrame) -> pl.DataFrame:
    """The rows of `table` in the order of `items`; an item without an entry is available and titled by its id.

    Args:
        items: The items, in the order of every array of a model.
        table: `item_id` and any columns of the table `items`; one row per item at most.
    """
    known = table.select(pl.col("item_id").cast(pl.String), pl.exclude("item_id"))
    missing = {name: kind for name, kind in COLUMNS.items() if name not in known.columns}
    known = known.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in missing.items())
    return (
        pl.DataFrame({"item_id": list(items.ids)}, schema={"item_id": pl.String})
        .join(known, on="item_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("title").fill_null(pl.col("item_id")),
            pl.col("categories", "tags").fill_null(pl.lit([], dtype=pl.List(pl.String))),
            pl.col("available").fill_null(value=True),
        )
        .select("item_id", *COLUMNS, pl.exclude("item_id", *COLUMNS))
    )
