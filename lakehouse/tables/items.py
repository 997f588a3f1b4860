"""The table `items`: the catalogue."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.tables.spec import TIME, Column, TableSpec, required

ITEMS = TableSpec(
    name="items",
    grain="one row per item, its latest catalogue entry",
    key=("item_id",),
    built_from=("feedback",),
    columns=(
        required("item_id", pa.string(), "the item", personal=False),
        required("title", pa.string(), "its name", personal=False),
        required("categories", pa.list_(pa.string()), "where it belongs", personal=False),
        required("tags", pa.list_(pa.string()), "free labels", personal=False),
        Column("description", pa.string(), "what it is", personal=False),
        Column("price", pa.float64(), "price of one piece", personal=False),
        Column("currency", pa.string(), "ISO 4217 code", personal=False),
        Column("url", pa.string(), "its page", personal=False),
        Column("image_url", pa.string(), "its picture", personal=False),
        required("available", pa.bool_(), "whether it may be recommended", personal=False),
        Column("released_at", TIME, "when it came out", personal=False),
        required("updated_at", TIME, "when this entry happened", personal=False),
    ),
)
