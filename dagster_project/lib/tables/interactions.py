"""The asset `interactions`: signed preferences."""

from __future__ import annotations

from dagster_project.lib.table_asset import Inputs, NewRows, Report, TableAsset
from lakehouse.tables.feedback import FEEDBACK
from lakehouse.tables.interactions import INTERACTIONS


def build(inputs: Inputs) -> NewRows:
    """One row per subject and item, out of every kind of feedback."""
    from dagster_project.lib.learned import interactions_of
    from dagster_project.lib.plots import preference_histogram

    learned = interactions_of(inputs.scan(FEEDBACK))
    rows = learned.rows
    figures = {
        "subjects": rows["subject"].n_unique(),
        "items": rows["item_id"].n_unique(),
        "liked": int((rows["preference"] > 0).sum()),
        "disliked": int((rows["preference"] < 0).sum()),
        "events_left_out": learned.events_left_out,
        "left_out": dict(learned.left_out),
    }
    pages = {"preferences": preference_histogram(rows["preference"].to_numpy())}
    return NewRows(rows, Report(figures=figures, pages=pages))


INTERACTIONS_ASSET = TableAsset(
    spec=INTERACTIONS,
    title="interactions",
    description="One row per (subject, item): a signed preference and a weight, out of every kind of feedback.",
    build=build,
)
