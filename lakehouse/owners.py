"""The owner of an event, as a column: `feedback.admitted.owner_of` for many rows at once."""

from __future__ import annotations

import polars as pl

from feedback.admitted import ITEM_OWNER


def owner_column() -> pl.Expr:
    """The subject, else the item; null where a row has neither."""
    return pl.coalesce("subject", pl.lit(ITEM_OWNER) + pl.col("item_id"))
