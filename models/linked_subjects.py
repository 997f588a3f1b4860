"""Replace linked subjects by the canonical subject of their person, in columns."""

from __future__ import annotations

import polars as pl

from feedback.links import canonical_subjects
from lakehouse.tables.positions import PLACE
from online.statements import links_of

_STATED = ("kind", "subject", "payload", "received_at", "landed_on", *PLACE)


def canonical_frame(feedback: pl.LazyFrame) -> pl.DataFrame:
    """Of each linked subject (`subject`) the canonical one of its person (`person`), where that is another one.

    Args:
        feedback: Rows of the `feedback` table; all identify events among them count, whenever they landed.
    """
    stated = feedback.filter(pl.col("kind") == "identify").select(_STATED).collect(engine="streaming")
    found = canonical_subjects(links_of(stated))
    return pl.DataFrame(
        {"subject": list(found), "person": list(found.values())}, schema={"subject": pl.String, "person": pl.String}
    )


def as_persons(events: pl.LazyFrame, canonical: pl.DataFrame) -> pl.LazyFrame:
    """The events with each subject replaced by the canonical one of its person (`canonical_frame`)."""
    if canonical.is_empty():
        return events
    return (
        events.join(canonical.lazy(), on="subject", how="left")
        .with_columns(subject=pl.coalesce("person", "subject"))
        .drop("person")
    )
