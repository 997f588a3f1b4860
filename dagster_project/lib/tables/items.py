"""The asset `items`: the catalogue."""

from __future__ import annotations

from dagster_project.lib.table_asset import Inputs, NewRows, Report, TableAsset
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.items import ITEMS


def build(inputs: Inputs) -> NewRows:
    """The latest good catalogue entry of each item."""
    from dagster_project.lib.catalogue import build_catalogue
    from dagster_project.lib.learned import catalogue_events

    catalogue = build_catalogue(catalogue_events(inputs.scan(FEEDBACK)))
    rows = catalogue.rows
    figures = {
        "available": int(rows["available"].sum()),
        "categories": int(rows["categories"].explode().n_unique()) if rows.height else 0,
        "left_out": dict(catalogue.left_out_by_rule),
    }
    return NewRows(rows, Report(figures=figures))


ITEMS_ASSET = TableAsset(
    spec=ITEMS,
    title="the catalogue",
    description="One row per item: its latest good catalogue entry, out of feedback of kind `item`.",
    build=build,
)
