"""Deduplicate: the first event of each identity lands, repeats are counted as duplicates."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from beam_jobs.batch import Batch
from beam_jobs.stages.deduplication.landed_ids import LandedIds
from feedback.errors import Code

DETAIL = "this event landed before: an equal owner, kind, source and id"


def deduplicate(batch: Batch, landed: LandedIds) -> Batch:
    """Reject repeats, within the batch and of what landed before."""
    events, seen_first = landed.mark_new(batch.events, batch.end)
    batch, fresh = replace(batch, events=events), pl.Series(seen_first)
    if fresh.all():
        return batch
    reasons = pl.select(pl.when(~fresh).then(pl.lit(DETAIL)).otherwise(pl.lit(None, pl.String)).alias("r"))["r"]
    return batch.refuse(reasons, Code.DUPLICATE, keep_raw=False)
